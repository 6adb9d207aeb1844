"""The state of judging one call: its arguments and what has been found out about them.

Everything found out is kept for the length of the call, so that a thousand conditions on one large value read
it once. The bounds on regexes and on `[*]` are counted before the first such condition is judged.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from .amount import (
    MOST_EACH_VALUES,
    MOST_REGEX_BYTES,
    MOST_REGEX_STEPS,
    MOST_SEARCHED,
    NOTHING,
    SHORT_TEXT,
    Amount,
    Reading,
    amount_read,
    light_size,
    reading_of,
    searches,
    text_size,
)
from .decision import MISSING
from .document import Condition
from .exact import LARGEST, ExactNumber, exact
from .hosts import HostIndex
from .identity import INEXACT, Unjudged, digest_of
from .paths import EACH, Path, Step
from .textual_paths import resolve_path
from .twins import Names, names_in

_FEW_VALUES: Final = 8
_LONGEST_IN_UTF_8: Final = 4
_ONLY_LISTS: Final = frozenset([list])


class _WrongKind:
    """A step met a value of the wrong kind."""


WRONG_KIND: Final = _WrongKind()
_TRUE, _FALSE, _NULL = ("true",), ("false",), ("null",)

Key: TypeAlias = "str | int | Decimal | tuple[str, ...] | Unjudged"


class Each(NamedTuple):
    """The end values of a path with `[*]`; missing ones and those a step could not reach are only counted."""

    values: list[object]
    missing: int
    wrong: int

    @property
    def total(self) -> int:
        return len(self.values) + self.missing + self.wrong


class Sources:
    """What the rules that apply to one tool read from a call, and how much their conditions may read."""

    __slots__ = (
        "_conditions",
        "_light_size",
        "_names",
        "_paths",
        "_reading",
        "quantified",
        "regexes",
        "searched_paths",
        "short_alone",
        "short_enough",
    )

    def __init__(
        self, conditions: Iterable[tuple[Condition, int]] = (), counted: Iterable[Path] = ()
    ) -> None:
        """`conditions`: each with its regex program's size, or 0; `counted`: paths that limits count by."""
        self._conditions = tuple(conditions)
        self._paths = (*(condition.path for condition, _ in self._conditions), *counted)
        self._names: Names | None = None
        self._reading: Reading | Literal["unknown"] | None = "unknown"
        self.quantified = any(EACH in condition.path.steps for condition, _ in self._conditions)
        self.regexes = tuple((condition.path.steps, size) for condition, size in self._conditions if size)
        self.searched_paths = tuple(
            condition.path.steps for condition, _ in self._conditions if searches(condition)
        )
        # Texts with at most this many characters in total are within the bound on regexes, whatever they are.
        largest = max((size for _, size in self.regexes), default=1)
        self.short_enough = min(MOST_REGEX_BYTES, MOST_REGEX_STEPS // largest) // _LONGEST_IN_UTF_8
        # The same for the only text that a pattern reads: then there is nothing else to count.
        alone = len(self.regexes) == 1 and EACH not in self.regexes[0][0]
        self.short_alone = self.short_enough if alone else -1
        self._light_size: int | None = None

    @property
    def reading(self) -> Reading | None:
        # Built for the first call that asks: few of the many tools of a policy are called.
        if self._reading == "unknown":
            self._reading = reading_of(self._conditions)
        return self._reading

    @property
    def names(self) -> Names:
        if self._names is None:
            self._names = names_in(self._paths)
        return self._names

    @property
    def light_size(self) -> int:
        if self._light_size is None:
            self._light_size = light_size(self._conditions)
        return self._light_size


NO_SOURCES: Final = Sources()


def walk(value: object, steps: Sequence[Step]) -> object:
    for step in steps:
        if type(value) is dict and type(step) is str:
            value = value.get(step, MISSING)
        elif value is None or value is MISSING:
            return MISSING
        else:
            value = take(value, step)
            if value is WRONG_KIND:
                return value
    return value


def take(value: object, step: Step) -> object:
    if isinstance(step, str):
        return value.get(step, MISSING) if isinstance(value, dict) else WRONG_KIND
    if not isinstance(value, list):
        return WRONG_KIND
    return value[step] if isinstance(step, int) and step < len(value) else MISSING


class Work(msgspec.Struct, eq=False):
    arguments: dict[str, object]
    sources: Sources = NO_SOURCES
    _regex_allowed: bool | None = None
    _search_allowed: bool | None = None
    _each_allowed: bool | None = None
    # Keys begin with their kind, because one text can be asked about both as a path and as a URL. Containers
    # and numbers go by identity: the arguments keep them alive for as long as this object lives.
    _found: dict[tuple[object, ...], object] = msgspec.field(default_factory=dict)

    # Equality

    def key(self, value: object) -> Key:
        """Return a key that equal values share: the text or the exact number itself, otherwise a tuple."""
        if type(value) is str:
            return value
        if type(value) is int:
            return value if -LARGEST <= value <= LARGEST else INEXACT
        if value is None:
            return _NULL
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if isinstance(value, dict | list):
            return self._container(value)
        number = self.number(value)
        return INEXACT if number is None else number

    def number(self, value: object) -> ExactNumber | None:
        """Return the exact number that a value is, if any. It may be a megabyte long, so it is read once."""
        if type(value) is int:
            return value if -LARGEST <= value <= LARGEST else None
        at = ("number", id(value))
        if at not in self._found:
            self._found[at] = exact(value)
        return self._found[at]  # type: ignore[return-value]

    def _container(self, value: dict[str, object] | list[object]) -> Key:
        at = ("key", id(value))
        found = self._found.get(at)
        if found is None:
            inner = value.values() if isinstance(value, dict) else value
            keys = [self.key(element) for element in inner]
            found = INEXACT if INEXACT in keys else digest_of(value, keys)
            self._found[at] = found
        return found  # type: ignore[return-value]

    def element_keys(self, value: list[object]) -> frozenset[Key] | None:
        """Return the keys of a list's elements; None if there is an inexact number among them."""
        at = ("elements", id(value))
        if at not in self._found:
            keys = frozenset(self.key(element) for element in value)
            self._found[at] = None if INEXACT in keys else keys
        found = self._found[at]
        return found if isinstance(found, frozenset) else None

    # Texts

    def resolved(self, value: str) -> tuple[str, ...] | None:
        at = ("path", value)
        if at not in self._found:
            self._found[at] = resolve_path(value)
        found = self._found[at]
        return found if isinstance(found, tuple) else None

    def host_lists(self, value: str, index: HostIndex) -> int | None:
        at = ("host", value)
        if at not in self._found:
            self._found[at] = index.lists_with(value)
        return self._found[at]  # type: ignore[return-value]

    # Bounds

    def allows_regex(self) -> bool:
        """Asked only for texts that are not `short_alone`."""
        if self._regex_allowed is None:
            if self.sources.quantified:
                self._count()
            else:
                self._count_regexes()
        return self._regex_allowed is True

    def _count_regexes(self) -> None:
        read, characters = [], 0
        for path, program in self.sources.regexes:
            text = walk(self.arguments, path)
            if isinstance(text, str):
                read.append((text, program))
                characters += len(text)
        if characters <= self.sources.short_enough:
            self._regex_allowed = True
            return
        sizes = [(text_size(text), program) for text, program in read]
        steps = sum(size * program for size, program in sizes)
        self._regex_allowed = Amount(sum(size for size, _ in sizes), steps, 0, 0, 0).allows_regex

    def allows_search(self) -> bool:
        """Asked only for texts that are not short."""
        if self._search_allowed is None:
            if self.sources.quantified:
                self._count()
            else:
                texts = [walk(self.arguments, path) for path in self.sources.searched_paths]
                lengths = [len(text) for text in texts if isinstance(text, str)]
                searched = sum(length for length in lengths if length > SHORT_TEXT)
                self._search_allowed = searched <= MOST_SEARCHED
        return self._search_allowed is True

    def allows_each(self) -> bool:
        if self._each_allowed is None:
            self._count()
        return self._each_allowed is True

    def _count(self) -> None:
        reading = self.sources.reading
        read = amount_read(reading, self.arguments) if reading else NOTHING
        self._regex_allowed = read.allows_regex
        self._search_allowed = read.searched <= MOST_SEARCHED
        self._each_allowed = read.each_values <= MOST_EACH_VALUES

    def each(self, steps: Sequence[Step]) -> Each:
        found = self._same(Each([self.arguments], 0, 0))
        for step in steps:
            if not found.values:
                break
            at = ("step", id(found), step)
            following = self._found.get(at)
            if following is None:
                following = self._found[at] = self._same(_one_step(found, step))
            found = following  # type: ignore[assignment]
        return found

    def _same(self, found: Each) -> Each:
        """Return the first one found with the same few values, so that what lies beyond is looked at once."""
        if len(found.values) > _FEW_VALUES:
            # Kept alive, so that nothing else ever gets its id.
            return self._found.setdefault(("many", id(found)), found)  # type: ignore[return-value]
        at = ("few", (found.missing, found.wrong, *map(id, found.values)))
        return self._found.setdefault(at, found)  # type: ignore[return-value]


def _one_step(found: Each, step: Step) -> Each:
    if step is EACH and _ONLY_LISTS.issuperset(map(type, found.values)):
        return Each(list(chain.from_iterable(found.values)), found.missing, found.wrong)  # type: ignore[arg-type]
    values: list[object] = []
    missing, wrong = found.missing, found.wrong
    for value in found.values:
        if value is None:
            missing += 1
        elif step is EACH:
            if isinstance(value, list):
                values.extend(value)
            else:
                wrong += 1
        else:
            taken = take(value, step)
            if taken is MISSING:
                missing += 1
            elif taken is WRONG_KIND:
                wrong += 1
            else:
                values.append(taken)
    return Each(values, missing, wrong)
