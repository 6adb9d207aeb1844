"""Counts how much the conditions of a call would read, before any of them is judged.

The bounds count every condition separately, but the arguments are walked only once: conditions whose paths
lead to the same value are counted there together.
"""

from collections.abc import Iterable
from itertools import repeat
from typing import Final, NamedTuple

from jiter import LosslessFloat

from .document import Condition
from .paths import Step

MOST_REGEX_BYTES: Final = 65_536
MOST_EACH_VALUES: Final = 20_000
# In the worst case RE2 takes one step per byte and instruction, some 8 ns each, and `contains` takes 3 ns per
# character. A text of MOST_REGEX_BYTES may be read by patterns of 80 instructions.
MOST_REGEX_STEPS: Final = 80 * MOST_REGEX_BYTES
MOST_SEARCHED: Final = 16_777_216
# Texts up to this length are not worth counting, however many there are.
SHORT_TEXT: Final = 256
# More than this is judged off the event loop.
_LIGHT_REGEX_BYTES: Final = 8192
_LIGHT_EACH_VALUES: Final = 2000
LIGHT_NANOSECONDS: Final = 1_000_000

_CONTAINS: Final = ("contains", "not_contains")
_EQUALITY: Final = ("eq", "neq", "in", "not_in", *_CONTAINS)
_COMPARES: Final = ("lt", "lte", "gt", "gte")
_READS_ONCE: Final = ("under_path", "host_in")
# Costs in the worst case: per character for `contains`, and for paths and URLs; per node for a container.
_SCAN_NANOSECONDS: Final = 4
_SPLIT_NANOSECONDS: Final = 60
_DIGIT_NANOSECONDS: Final = 8
_NODE_NANOSECONDS: Final = 1500
_REGEX_NANOSECONDS: Final = 10
_VISIT_NANOSECONDS: Final = 150
_STEP_NANOSECONDS: Final = 100
_EACH_STEP_NANOSECONDS: Final = 1000


class Amount(NamedTuple):
    """What would be read, as the bounds count it; `nanoseconds` is the time it takes in the worst case."""

    regex_bytes: int
    regex_steps: int
    searched: int
    each_values: int
    nanoseconds: int

    @property
    def allows_regex(self) -> bool:
        return self.regex_bytes <= MOST_REGEX_BYTES and self.regex_steps <= MOST_REGEX_STEPS

    @property
    def is_light(self) -> bool:
        return (
            self.regex_bytes <= _LIGHT_REGEX_BYTES
            and self.each_values <= _LIGHT_EACH_VALUES
            and self.nanoseconds <= LIGHT_NANOSECONDS
        )


NOTHING: Final = Amount(0, 0, 0, 0, 0)


class Reading:
    """A place that paths lead to: what is read there, and where the paths lead next."""

    __slots__ = (
        "_place",
        "below",
        "each",
        "every",
        "indexes",
        "keyed",
        "last",
        "members",
        "needles",
        "program",
        "regex",
        "split",
        "walking",
    )

    def __init__(self) -> None:
        self.regex = 0  # regex conditions that end here
        self.program = 0  # the instructions of their programs
        self.needles = 0  # conditions that end here and search a text for another
        self.split = False  # a text here is split, once
        self.keyed = False  # a container here is compared
        self.each = 0  # conditions with [*] that end here
        self.below = 0  # conditions with [*] that end here or further on
        self.last = 0  # those of `below` with no [*] further on: each counts every value here
        self.walking = 0  # in the root only: nanoseconds for following every path once
        self.members: dict[str, Reading] = {}
        self.indexes: dict[int, Reading] = {}
        self.every: Reading | None = None
        self._place: _Place | None = None

    def place(self) -> "_Place":
        """Return the place where reading a call begins. It is kept, with the places that calls led to."""
        if self._place is None:
            self._place = _Place((self,))
        return self._place

    def follow(self, step: Step) -> "Reading":
        if isinstance(step, str):
            return self.members.setdefault(step, Reading())
        if isinstance(step, int):
            return self.indexes.setdefault(step, Reading())
        if self.every is None:
            self.every = Reading()
        return self.every


def reading_of(conditions: Iterable[tuple[Condition, int]]) -> Reading | None:
    """Return where the conditions read; None if nothing is worth counting.

    Each condition comes with the size of its regex's program, 0 for other operators.
    """
    root, found = Reading(), False
    for condition, program in conditions:
        quantified = condition.path.quantified
        keyed, split = condition.op in _EQUALITY, condition.op in _READS_ONCE
        if not (program or quantified or keyed or split or condition.op in _COMPARES):
            continue
        found, here = True, root
        root.walking += len(condition.path.steps) * (
            _EACH_STEP_NANOSECONDS if quantified else _STEP_NANOSECONDS
        )
        here.below += quantified
        left = sum(not isinstance(step, str | int) for step in condition.path.steps)
        for step in condition.path.steps:
            here = here.follow(step)
            here.below += quantified
            left -= not isinstance(step, str | int)
            here.last += quantified and not left
        here.each += quantified
        here.regex += program > 0
        here.program += program
        here.needles += searches(condition)
        here.split = here.split or split
        here.keyed = here.keyed or keyed
    return root if found else None


def searches(condition: Condition) -> bool:
    """Return whether the condition searches a text for another."""
    return condition.op in _CONTAINS and isinstance(condition.value, str)


def light_size(conditions: Iterable[tuple[Condition, int]]) -> int:
    """Return the size in bytes of JSON up to which any call is light; negative if none is.

    The estimate assumes that every condition reads the whole call.
    """
    every = [(condition, program, condition.path) for condition, program in conditions]
    patterns = sum(program > 0 for _, program, _ in every)
    quantified = sum(path.quantified for _, _, path in every)
    walking = sum(len(path.steps) * _EACH_STEP_NANOSECONDS for _, _, path in every)
    of_a_byte = (
        2 * _VISIT_NANOSECONDS
        + _REGEX_NANOSECONDS * sum(program for _, program, _ in every)
        + _SCAN_NANOSECONDS * sum(searches(condition) for condition, _, _ in every)
        + _SPLIT_NANOSECONDS * any(condition.op in _READS_ONCE for condition, _, _ in every)
        + _NODE_NANOSECONDS * any(condition.op in _EQUALITY for condition, _, _ in every)
    )
    return min(
        _LIGHT_REGEX_BYTES // max(1, patterns),
        _LIGHT_EACH_VALUES // max(1, quantified),
        (LIGHT_NANOSECONDS - walking) // of_a_byte,
    )


def amount_read(reading: Reading, arguments: object, *, only_whether_light: bool = False) -> Amount:
    """Count what is read. With `only_whether_light`, stop as soon as the amount is not light."""
    count = _Count(only_whether_light)
    count.nanoseconds = reading.walking
    stack = [(arguments, reading.place())]
    while stack and not (only_whether_light and count.is_heavy):
        value, place = stack.pop()
        count.nanoseconds += _VISIT_NANOSECONDS
        count.ends(value, place)
        if isinstance(value, dict):
            count.members(value, place, stack)
        elif isinstance(value, list):
            count.elements(value, place, stack)
        else:
            # Every path that leads further ends here after all, each in one missing or unreachable value.
            count.each_values += place.below - place.each
    return count.amount()


class _Place:
    """All readings that meet at one value: `[0]` and `[*]` both lead to a list's first element."""

    __slots__ = (
        "_elements",
        "_members",
        "below",
        "each",
        "keyed",
        "last",
        "needles",
        "nodes",
        "program",
        "regex",
        "split",
    )

    def __init__(self, nodes: tuple[Reading, ...]) -> None:
        self.nodes = nodes
        self.regex = sum(node.regex for node in nodes)
        self.program = sum(node.program for node in nodes)
        self.needles = sum(node.needles for node in nodes)
        self.split = any(node.split for node in nodes)
        self.keyed = any(node.keyed for node in nodes)
        self.each = sum(node.each for node in nodes)
        self.below = sum(node.below for node in nodes)
        self.last = sum(node.last for node in nodes)
        self._members: dict[str, _Place] | None = None
        self._elements: dict[int | None, _Place] | None = None

    def members(self) -> "dict[str, _Place]":
        if self._members is None:
            found: dict[str, list[Reading]] = {}
            for node in self.nodes:
                for key, child in node.members.items():
                    found.setdefault(key, []).append(child)
            self._members = {key: _Place(tuple(children)) for key, children in found.items()}
        return self._members

    def elements(self) -> "dict[int | None, _Place]":
        """Return the places by index; None is where `[*]` leads, which is part of every other one too."""
        if self._elements is None:
            every = tuple(node.every for node in self.nodes if node.every is not None)
            found: dict[int | None, list[Reading]] = {}
            for node in self.nodes:
                for index, child in node.indexes.items():
                    found.setdefault(index, list(every)).append(child)
            self._elements = {index: _Place(tuple(children)) for index, children in found.items()}
            if every:
                self._elements[None] = _Place(every)
        return self._elements


class _Count:
    __slots__ = ("_only_light", "each_values", "nanoseconds", "regex_bytes", "regex_steps", "searched")

    def __init__(self, only_light: bool) -> None:
        self._only_light = only_light
        self.regex_bytes = self.regex_steps = self.searched = self.each_values = self.nanoseconds = 0

    def amount(self) -> Amount:
        return Amount(self.regex_bytes, self.regex_steps, self.searched, self.each_values, self.nanoseconds)

    @property
    def is_heavy(self) -> bool:
        return (
            self.each_values > _LIGHT_EACH_VALUES
            or self.nanoseconds > LIGHT_NANOSECONDS
            or self.regex_bytes > _LIGHT_REGEX_BYTES
        )

    def ends(self, value: object, place: _Place) -> None:
        self.each_values += place.each
        if isinstance(value, str):
            self.text(value, place)
        elif isinstance(value, LosslessFloat):
            self.nanoseconds += _DIGIT_NANOSECONDS * len(str(value))
        elif place.keyed and self._only_light and isinstance(value, dict | list):
            most = (LIGHT_NANOSECONDS - self.nanoseconds) // _NODE_NANOSECONDS + 1
            self.nanoseconds += _NODE_NANOSECONDS * _nodes(value, most)

    def text(self, value: str, place: _Place) -> None:
        if place.regex:
            size = text_size(value)
            self.regex_bytes += size * place.regex
            self.regex_steps += size * place.program
            self.nanoseconds += size * place.program * _REGEX_NANOSECONDS
        if len(value) > SHORT_TEXT:
            self.searched += len(value) * place.needles
        self.nanoseconds += len(value) * (
            place.needles * _SCAN_NANOSECONDS + place.split * _SPLIT_NANOSECONDS
        )

    def members(self, value: dict[str, object], place: _Place, stack: list[tuple[object, _Place]]) -> None:
        unreached = place.below - place.each
        children = place.members()
        for key in value if len(value) < len(children) else children:
            if key in value and key in children:
                unreached -= children[key].below
                stack.append((value[key], children[key]))
        self.each_values += unreached

    def elements(self, value: list[object], place: _Place, stack: list[tuple[object, _Place]]) -> None:
        unreached = place.below - place.each
        children = place.elements()
        every = children.get(None)
        shared = every.below if every else 0
        if not value:
            self.each_values += unreached - shared
            return
        for index, child in children.items():
            if index is not None and index < len(value):
                unreached -= child.below - shared
                stack.append((value[index], child))
        self.each_values += unreached - shared
        if every is not None:
            # Counted before they are visited, so that ten thousand elements are not even put on the stack.
            self.nanoseconds += _VISIT_NANOSECONDS * len(value)
            if self._only_light and self._is_too_long(len(value), every):
                return
            if len(children) == 1:
                stack.extend(zip(value, repeat(every)))
            else:
                stack += [(element, every) for index, element in enumerate(value) if index not in children]

    def _is_too_long(self, elements: int, every: _Place) -> bool:
        """Return whether so many elements are not light; visiting them would take as long as judging."""
        if self.each_values + elements * every.last > _LIGHT_EACH_VALUES:
            self.each_values += elements * every.last
        return self.is_heavy


def _nodes(value: object, most: int) -> int:
    """Count the values in a container, itself included, up to `most`."""
    stack, count = [value], 0
    while stack and count < most:
        inner = stack.pop()
        count += 1
        if isinstance(inner, dict):
            stack += inner.values()
        elif isinstance(inner, list):
            stack += inner
    return count


def text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
