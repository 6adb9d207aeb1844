"""How much the conditions of a call would read, counted before any of them is judged.

Every condition counts for itself, as the bounds say, but the arguments are walked once: conditions whose
paths lead to one value are counted there together.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .document import Condition
from .paths import Step

MOST_REGEX_BYTES: Final = 65_536
MOST_EACH_VALUES: Final = 20_000
# More than this is judged off the event loop.
_LIGHT_REGEX_BYTES: Final = 8192
_LIGHT_EACH_VALUES: Final = 2000
LIGHT_NANOSECONDS: Final = 1_000_000

_CONTAINS: Final = ("contains", "not_contains")
_EQUALITY: Final = ("eq", "neq", "in", "not_in", *_CONTAINS)
_READS_ONCE: Final = ("under_path", "host_in")
# What the worst text costs: of `contains` for a character, of paths and URLs, of a container for each node.
_SCAN_NANOSECONDS: Final = 3
_SPLIT_NANOSECONDS: Final = 60
_NODE_NANOSECONDS: Final = 1500
_REGEX_NANOSECONDS: Final = 7
_VISIT_NANOSECONDS: Final = 150
_STEP_NANOSECONDS: Final = 100
_EACH_STEP_NANOSECONDS: Final = 1000


class Amount(NamedTuple):
    """`regex_bytes` and `each_values` as the bounds count them; `nanoseconds`: what the worst would take."""

    regex_bytes: int
    each_values: int
    nanoseconds: int

    @property
    def is_light(self) -> bool:
        return (
            self.regex_bytes <= _LIGHT_REGEX_BYTES
            and self.each_values <= _LIGHT_EACH_VALUES
            and self.nanoseconds <= LIGHT_NANOSECONDS
        )


NOTHING: Final = Amount(0, 0, 0)


class Reading:
    """A place that paths lead to: what is read there, and where they lead from there."""

    __slots__ = (
        "below",
        "each",
        "every",
        "indexes",
        "keyed",
        "members",
        "regex",
        "regex_cost",
        "text_cost",
        "walking",
    )

    def __init__(self) -> None:
        self.regex = 0  # regex conditions that end here
        self.regex_cost = 0  # nanoseconds for each byte of a text that RE2 reads here
        self.text_cost = 0  # nanoseconds for each character of a text that others read here
        self.keyed = False  # a container here is compared
        self.each = 0  # conditions with [*] that end here
        self.below = 0  # conditions with [*] that end here or further on
        self.walking = 0  # of the first: nanoseconds for following every path once
        self.members: dict[str, Reading] = {}
        self.indexes: dict[int, Reading] = {}
        self.every: Reading | None = None

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
        text_cost = _text_cost(condition)
        keyed = condition.op in _EQUALITY
        if not (program or quantified or text_cost or keyed):
            continue
        found, here = True, root
        root.walking += len(condition.path.steps) * (
            _EACH_STEP_NANOSECONDS if quantified else _STEP_NANOSECONDS
        )
        here.below += quantified
        for step in condition.path.steps:
            here = here.follow(step)
            here.below += quantified
        here.each += quantified
        here.regex += program > 0
        here.regex_cost += _REGEX_NANOSECONDS * program
        here.text_cost += text_cost
        here.keyed = here.keyed or keyed
    return root if found else None


def _text_cost(condition: Condition) -> int:
    if condition.op in _CONTAINS:
        return _SCAN_NANOSECONDS if isinstance(condition.value, str) else 0
    return _SPLIT_NANOSECONDS if condition.op in _READS_ONCE else 0


def amount_read(reading: Reading, arguments: object, *, only_whether_light: bool = False) -> Amount:
    """Stops when both bounds are passed, or, asked only whether it is light, when it is not."""
    count = _Count(only_whether_light)
    count.nanoseconds = reading.walking
    stack = [(arguments, _Place((reading,)))]
    while stack and not count.is_enough():
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
    return Amount(count.regex_bytes, count.each_values, count.nanoseconds)


class _Place:
    """All readings that meet at one value: to a list's first element lead `[0]` and `[*]`."""

    __slots__ = (
        "_elements",
        "_members",
        "below",
        "each",
        "keyed",
        "nodes",
        "regex",
        "regex_cost",
        "text_cost",
    )

    def __init__(self, nodes: tuple[Reading, ...]) -> None:
        self.nodes = nodes
        self.regex = sum(node.regex for node in nodes)
        self.regex_cost = sum(node.regex_cost for node in nodes)
        self.text_cost = sum(node.text_cost for node in nodes)
        self.keyed = any(node.keyed for node in nodes)
        self.each = sum(node.each for node in nodes)
        self.below = sum(node.below for node in nodes)
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
    __slots__ = ("_only_light", "each_values", "nanoseconds", "regex_bytes")

    def __init__(self, only_light: bool) -> None:
        self._only_light = only_light
        self.regex_bytes = self.each_values = self.nanoseconds = 0

    def is_enough(self) -> bool:
        if self._only_light:
            return not Amount(self.regex_bytes, self.each_values, self.nanoseconds).is_light
        return self.regex_bytes > MOST_REGEX_BYTES and self.each_values > MOST_EACH_VALUES

    def ends(self, value: object, place: _Place) -> None:
        self.each_values += place.each
        if isinstance(value, str):
            if place.regex:
                size = text_size(value)
                self.regex_bytes += size * place.regex
                self.nanoseconds += size * place.regex_cost
            self.nanoseconds += len(value) * place.text_cost
        elif place.keyed and self._only_light and isinstance(value, dict | list):
            most = (LIGHT_NANOSECONDS - self.nanoseconds) // _NODE_NANOSECONDS + 1
            self.nanoseconds += _NODE_NANOSECONDS * _nodes(value, most)

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
        for index, child in children.items():
            if index is not None and index < len(value):
                unreached -= child.below - shared
                stack.append((value[index], child))
        self.each_values += unreached - shared
        if every is not None:
            # Counted before they are visited, so that a list of ten thousand is not even written down.
            self.nanoseconds += _VISIT_NANOSECONDS * len(value)
            if self._only_light and self.nanoseconds > LIGHT_NANOSECONDS:
                return
            stack += [(element, every) for index, element in enumerate(value) if index not in children]


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
