"""The state of judging one call: its arguments and what has been found out about them.

Everything found is kept for the length of the call, so that a thousand conditions on one large value cost one
look at it. The bounds on regexes and on `[*]` are counted before the first such condition is judged.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from .decision import MISSING
from .exact import LARGEST, exact
from .hosts import Host, host_of_url
from .identity import INEXACT, Unjudged, judged_text
from .paths import EACH, Step
from .textual_paths import resolve_path

MOST_REGEX_BYTES: Final = 65_536
MOST_EACH_VALUES: Final = 20_000


class _WrongKind:
    """A step met a value of another kind than it needs."""


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


class EachStep(NamedTuple):
    """One step of a path with `[*]`; paths that begin alike share their first steps."""

    number: int
    step: Step


class Sources(NamedTuple):
    """Where the bounded conditions of the rules that apply look."""

    regex_paths: tuple[tuple[Step, ...], ...] = ()
    regex_each: tuple[tuple[EachStep, ...], ...] = ()
    each: tuple[tuple[EachStep, ...], ...] = ()


NO_SOURCES: Final = Sources()


def walk(value: object, steps: Sequence[Step]) -> object:
    for step in steps:
        if value is None or value is MISSING:
            return MISSING
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


class Work:
    __slots__ = ("_each", "_each_allowed", "_found", "_keys", "_regex_allowed", "_sources", "arguments")

    def __init__(self, arguments: dict[str, object], sources: Sources = NO_SOURCES) -> None:
        self.arguments = arguments
        self._sources = sources
        self._regex_allowed: bool | None = None
        self._each_allowed: bool | None = None
        self._keys: dict[int, Key] = {}
        self._each: dict[int, Each] = {}
        # Named with their kind: a path and a URL of one spelling are two questions.
        self._found: dict[tuple[str, object], object] = {}

    # Equality

    def key(self, value: object) -> Key:
        """What equal values share: itself for a text or an exact number, else a tuple."""
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
        number = exact(value)
        return INEXACT if number is None else number

    def _container(self, value: object) -> Key:
        found = self._keys.get(id(value))
        if found is None:
            text = judged_text(value)
            found = self._keys[id(value)] = text if isinstance(text, Unjudged) else ("", text)
        return found

    def element_keys(self, value: list[object]) -> frozenset[Key] | None:
        """The keys of a list's elements; None when an inexact number stands among them."""
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

    def host(self, value: str) -> Host | None:
        at = ("host", value)
        if at not in self._found:
            self._found[at] = host_of_url(value)
        return self._found[at]  # type: ignore[return-value]

    # Bounds

    @property
    def regex_allowed(self) -> bool:
        if self._regex_allowed is None:
            self._regex_allowed = self._regex_bytes() <= MOST_REGEX_BYTES
        return self._regex_allowed

    def _regex_bytes(self) -> int:
        total = 0
        for steps in self._sources.regex_paths:
            total += _size(walk(self.arguments, steps))
            if total > MOST_REGEX_BYTES:
                return total
        if self._sources.regex_each and not self.each_allowed:
            # Adding up what stands beyond the bound on [*] would cost what that bound is there to save.
            return MOST_REGEX_BYTES + 1
        for each_steps in self._sources.regex_each:
            total += sum(_size(value) for value in self.each(each_steps).values)
        return total

    @property
    def each_allowed(self) -> bool:
        if self._each_allowed is None:
            total = 0
            for steps in self._sources.each:
                total += self.each(steps).total
                if total > MOST_EACH_VALUES:
                    break
            self._each_allowed = total <= MOST_EACH_VALUES
        return self._each_allowed

    def each(self, steps: tuple[EachStep, ...]) -> Each:
        known = len(steps)
        while known and steps[known - 1].number not in self._each:
            known -= 1
        found = self._each[steps[known - 1].number] if known else Each([self.arguments], 0, 0)
        for number, step in steps[known:]:
            if not found.values:
                return found
            found = self._each[number] = _one_step(found, step)
        return found


def _one_step(found: Each, step: Step) -> Each:
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


def _size(value: object) -> int:
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
