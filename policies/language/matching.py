"""Names and patterns, compared code point by code point."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from .document import Rule
from .words import LONGEST_NAME

T = TypeVar("T")

# Beyond this product of characters and patterns a name is not compared any more, and whoever asks with it is
# refused. A name as long as a policy may hold is always compared, with as many patterns as it may hold.
MOST_COMPARED: Final = 50_000_000


def is_too_long(name: str, patterns: int) -> bool:
    return len(name) > LONGEST_NAME and len(name) * patterns > MOST_COMPARED


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name with `*`, each for any run of characters. Matching takes time linear in the name."""

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
        """The most specific sorts first: most characters other than `*`, then the longer, then the lower."""
        return -(len(self.text) - self.text.count("*")), -len(self.text), self.text

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


def is_pattern(name: str) -> bool:
    return "*" in name


def by_strength(tools: Mapping[str, Rule], values: Mapping[str, T]) -> tuple[tuple[Pattern, T], ...]:
    """The patterns in the order in which the first that matches applies; a deny never loses by length."""
    patterns = [Pattern.of(name) for name in tools if is_pattern(name)]
    patterns.sort(key=lambda pattern: (tools[pattern.text].action != "deny", pattern.specificity))
    return tuple((pattern, values[pattern.text]) for pattern in patterns)


def applying(
    tool: str, exact: Mapping[str, T], patterns: Iterable[tuple[Pattern, T]], of_class: T | None
) -> T | None:
    """What stands for the rule that applies to a tool that is not hidden; None where the default does."""
    found = exact.get(tool)
    if found is not None:
        return found
    for pattern, value in patterns:
        if pattern.matches(tool):
            return value
    return of_class


@dataclass(frozen=True, slots=True)
class NameList:
    """A list of names and patterns, asked in its order."""

    exact: dict[str, int]
    patterns: tuple[tuple[int, Pattern], ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> "NameList":
        exact: dict[str, int] = {}
        patterns: list[tuple[int, Pattern]] = []
        for index, name in enumerate(names):
            if is_pattern(name):
                patterns.append((index, Pattern.of(name)))
            else:
                exact.setdefault(name, index)
        return cls(exact, tuple(patterns))

    def first_match(self, name: str) -> int | None:
        found = self.exact.get(name)
        for index, pattern in self.patterns:
            if found is not None and found < index:
                break
            if pattern.matches(name):
                return index
        return found
