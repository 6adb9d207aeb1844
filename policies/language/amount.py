"""How much the conditions of a call would read, counted before any of them is judged.

Every condition counts for itself, as the bounds say, but the arguments are walked once: conditions whose
paths lead to one value are counted there together.
"""

from collections.abc import Iterable
from itertools import repeat
from typing import Final, NamedTuple

from jiter import LosslessFloat

from .document import Condition
from .paths import Step

MOST_REGEX_BYTES: Final = 65_536
MOST_EACH_VALUES: Final = 20_000
# Where it finds no shorter way RE2 takes a step for each byte and instruction, some 8 ns each, and `contains`
# 3 ns for a character. A text of the size above may be read by patterns of 80 instructions.
MOST_REGEX_STEPS: Final = 80 * MOST_REGEX_BYTES
MOST_SEARCHED: Final = 16_777_216
# Not worth counting, however many of them there are.
SHORT_TEXT: Final = 256
# More than this is judged off the event loop.
_LIGHT_REGEX_BYTES: Final = 8192
_LIGHT_EACH_VALUES: Final = 2000
LIGHT_NANOSECONDS: Final = 1_000_000

_CONTAINS: Final = ("contains", "not_contains")
_EQUALITY: Final = ("eq", "neq", "in", "not_in", *_CONTAINS)
_COMPARES: Final = ("lt", "lte", "gt", "gte")
_READS_ONCE: Final = ("under_path", "host_in")
# What the worst text costs: of `contains` for a character, of paths and URLs, of a container for each node.
_SCAN_NANOSECONDS: Final = 4
_SPLIT_NANOSECONDS: Final = 60
_DIGIT_NANOSECONDS: Final = 8
_NODE_NANOSECONDS: Final = 1500
_REGEX_NANOSECONDS: Final = 10
_VISIT_NANOSECONDS: Final = 150
_STEP_NANOSECONDS: Final = 100
_EACH_STEP_NANOSECONDS: Final = 1000


class Amount(NamedTuple):
    """All but `nanoseconds` as the bounds count them; that is what the worst would take."""

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
    """A place that paths lead to: what is read there, and where they lead from there."""

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
        self.split = False  # a text here is taken apart, once
        self.keyed = False  # a container here is compared
        self.each = 0  # conditions with [*] that end here
        self.below = 0  # conditions with [*] that end here or further on
        self.last = 0  # those of them with no [*] further on: each counts every value here
        self.walking = 0  # of the first: nanoseconds for following every path once
        self.members: dict[str, Reading] = {}
        self.indexes: dict[int, Reading] = {}
        self.every: Reading | None = None
        self._place: _Place | None = None

    def place(self) -> "_Place":
        """Where calls begin to be read. It is kept, and with it the places that calls led to."""
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
    """Each condition with the size of its regex's program, 0 for another; None: nothing worth counting."""
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
    """Whether it reads a text in search of another."""
    return condition.op in _CONTAINS and isinstance(condition.value, str)


def light_size(conditions: Iterable[tuple[Condition, int]]) -> int:
    """A call of at most so many bytes of JSON is light, whatever stands in it; negative where none is.

    As if every condition read all of it.
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
    """Asked only whether it is light, it stops when it is not."""
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
            # Nothing further on, or every path further on ends here: one missing or unreachable value each.
            count.each_values += place.below - place.each
    return count.amount()


class _Place:
    """All readings that meet at one value: to a list's first element lead `[0]` and `[*]`."""

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
        """By index; under None what `[*]` leads to, which is part of every other, too."""
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
            # Counted before they are visited, so that a list of ten thousand is not even written down.
            self.nanoseconds += _VISIT_NANOSECONDS * len(value)
            if self._only_light and self._is_too_long(len(value), every):
                return
            if len(children) == 1:
                stack.extend(zip(value, repeat(every)))
            else:
                stack += [(element, every) for index, element in enumerate(value) if index not in children]

    def _is_too_long(self, elements: int, every: _Place) -> bool:
        """As many as these would take as long to visit as to judge."""
        if self.each_values + elements * every.last > _LIGHT_EACH_VALUES:
            self.each_values += elements * every.last
        return self.is_heavy


def _nodes(value: object, most: int) -> int:
    """How many values a container holds, itself included, as far as `most`."""
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
