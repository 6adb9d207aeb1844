"""Names and patterns, compared code point by code point."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from .document import Rule
from .words import LONGEST_NAME

T = TypeVar("T")

# Beyond this product of characters and patterns a name is no longer compared, and the request with it is
# refused.
MOST_COMPARED: Final = 20_000_000
# Patterns like `*a*` are searched for one by one, and those like `a*b*` take ten times as long. With more of
# them no name is compared and every request is refused: the linter keeps such a policy from being published.
MOST_SEARCHED: Final = 10_000
_SEVERAL_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name in which each `*` stands for any run of characters. Matching is linear in the name's length."""

    text: str
    head: str
    middle: tuple[str, ...]
    tail: str

    @classmethod
    def of(cls, text: str) -> "Pattern":
        head, *middle, tail = text.split("*")
        return cls(text, head, tuple(part for part in middle if part), tail)

    @property
    def specificity(self) -> tuple[int, int, str]:
        """A sort key, most specific first: most characters other than `*`, then longest, then lowest."""
        return -(len(self.text) - self.text.count("*")), -len(self.text), self.text

    @property
    def is_sure(self) -> bool:
        """Return whether a name matches as soon as the only literal part is found in its place."""
        return len(self.middle) + bool(self.head) + bool(self.tail) <= 1

    @property
    def searched(self) -> int:
        """Return what this pattern adds to the cost of searching; 0 if only the ends are compared."""
        if not self.middle:
            return 0
        return 1 if self.is_sure else _SEVERAL_PARTS

    def matches(self, name: str) -> bool:
        end = len(name) - len(self.tail)
        at = len(self.head)
        if end < at or not name.startswith(self.head) or not name.endswith(self.tail):
            return False
        for part in self.middle:
            at = name.find(part, at, end)
            if at == -1:
                return False
            at += len(part)
        return True


class _Found(NamedTuple):
    """The patterns to consider where a literal is found: `sure` ones match, `unsure` ones may. In order."""

    sure: list[int]
    unsure: list[int]


class _Literals:
    """Literal parts for one kind of place, and the patterns that are found by them."""

    def __init__(self) -> None:
        self.found: dict[str, _Found] = {}
        self.sizes: list[int] = []

    def add(self, literal: str, number: int, sure: bool) -> None:
        found = self.found.setdefault(literal, _Found([], []))
        (found.sure if sure else found.unsure).append(number)

    def close(self) -> None:
        self.sizes = sorted({len(literal) for literal in self.found})


class PatternIndex:
    """Finds which of an ordered list of patterns match a name; thousands cost little more than a few.

    Each pattern is indexed by one of its literal parts, the one that the fewest others share: a name's
    beginnings, ends and inner parts are looked up, and only the patterns that these lead to are compared.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self.searched = sum(pattern.searched for pattern in self._patterns)
        self._unsure = sum(not pattern.is_sure for pattern in self._patterns)
        self._heads, self._inner, self._tails = places = _Literals(), _Literals(), _Literals()
        shared: dict[tuple[int, str], int] = {}
        for pattern in self._patterns:
            for literal in _literals(pattern):
                shared[literal] = shared.get(literal, 0) + 1
        for number, pattern in enumerate(self._patterns):
            place, part = min(_literals(pattern), key=lambda each: (shared[each], -len(each[1])))
            places[place].add(part, number, pattern.is_sure)
        for each in places:
            each.close()

    def __len__(self) -> int:
        return len(self._patterns)

    def first(self, name: str) -> int | None:
        """Return the number of the first pattern that matches."""
        if not self._patterns:
            return None
        best, unsure = len(self._patterns), list[int]()
        for found in self._hits(name):
            if found.sure and found.sure[0] < best:
                best = found.sure[0]
            unsure += found.unsure
        unsure.sort()
        for number in unsure:
            if number > best:
                break
            if self._patterns[number].matches(name):
                return number
        return best if best < len(self._patterns) else None

    def every(self, name: str) -> list[int]:
        """Return the numbers of all patterns that match, in order."""
        if not self._patterns:
            return []
        matching = []
        for found in self._hits(name):
            matching += found.sure
            matching += [number for number in found.unsure if self._patterns[number].matches(name)]
        return sorted(matching)

    def nanoseconds(self, length: int) -> int:
        """Estimate the time to look up the worst name of this length."""
        windows, parts = length * len(self._inner.sizes), len(self._inner.found)
        inner = min(200 * windows, parts * (60 + 3 * length))
        ends = 300 * (len(self._heads.sizes) + len(self._tails.sizes))
        return inner + ends + (600 + 3 * length) * self._unsure

    def _hits(self, name: str) -> Iterator[_Found]:
        for size in self._heads.sizes:
            found = self._heads.found.get(name[:size]) if size <= len(name) else None
            if found:
                yield found
        for size in self._tails.sizes:
            found = self._tails.found.get(name[-size:]) if size <= len(name) else None
            if found:
                yield found
        yield from self._inner_hits(name)

    def _inner_hits(self, name: str) -> Iterator[_Found]:
        inner = self._inner
        if len(inner.found) <= len(name) * len(inner.sizes):
            yield from (found for part, found in inner.found.items() if part in name)
            return
        for size in inner.sizes:
            for part in {name[at : at + size] for at in range(len(name) - size + 1)}:
                found = inner.found.get(part)
                if found:
                    yield found


def _literals(pattern: Pattern) -> list[tuple[int, str]]:
    """Return the literal parts with their kind of place; the empty beginning if the pattern has none."""
    literals = [(0, pattern.head)] if pattern.head else []
    literals += [(1, part) for part in pattern.middle]
    literals += [(2, pattern.tail)] if pattern.tail else []
    return literals or [(0, "")]


def is_too_much(name: str, *indexes: PatternIndex) -> bool:
    """Return whether the name is refused because comparing it with the patterns would take too long."""
    if sum(index.searched for index in indexes) > MOST_SEARCHED:
        return True
    return len(name) > LONGEST_NAME and len(name) * sum(map(len, indexes)) > MOST_COMPARED


def is_pattern(name: str) -> bool:
    return "*" in name


@dataclass(frozen=True, slots=True)
class Ranked(Generic[T]):
    """A value for each of a policy's patterns, in order of rank: the first pattern that matches applies."""

    values: Sequence[T]
    index: PatternIndex

    def first_match(self, name: str) -> T | None:
        number = self.index.first(name)
        return None if number is None else self.values[number]


def by_strength(tools: Mapping[str, Rule], values: Mapping[str, T]) -> Ranked[T]:
    """Rank the patterns so that the first that matches applies; denies rank before all others."""
    patterns = [Pattern.of(name) for name in tools if is_pattern(name)]
    patterns.sort(key=lambda pattern: (tools[pattern.text].action != "deny", pattern.specificity))
    ranked = [values[pattern.text] for pattern in patterns]
    return Ranked(ranked, PatternIndex(patterns))


def applying(tool: str, exact: Mapping[str, T], patterns: Ranked[T], of_class: T | None) -> T | None:
    """Return the value for the rule that applies to a tool that is not hidden; None if the default does."""
    found = exact.get(tool)
    if found is not None:
        return found
    found = patterns.first_match(tool)
    return of_class if found is None else found


@dataclass(frozen=True, slots=True)
class NameList:
    """A list of names and patterns, of which the first that matches counts."""

    exact: dict[str, int]
    places: tuple[int, ...]
    index: PatternIndex

    @classmethod
    def of(cls, names: Iterable[str]) -> "NameList":
        exact: dict[str, int] = {}
        places: dict[str, int] = {}
        for place, name in enumerate(names):
            (places if is_pattern(name) else exact).setdefault(name, place)
        return cls(exact, tuple(places.values()), PatternIndex(map(Pattern.of, places)))

    def first_match(self, name: str) -> int | None:
        found, number = self.exact.get(name), self.index.first(name)
        if number is None:
            return found
        place = self.places[number]
        return place if found is None or place < found else found
