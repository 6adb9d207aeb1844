"""Conditions, made into functions once: `test(work)` is true, false, or None for undecidable."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .amount import SHORT_TEXT
from .decision import MISSING
from .document import Condition, JsonValue, Operator
from .exact import ExactNumber, exact
from .hosts import HostIndex, parse_host_pattern
from .identity import INEXACT
from .paths import EACH, Step
from .patterns import Finds, Patterns
from .textual_paths import resolve_path
from .work import WRONG_KIND, Work, walk

Verdict: TypeAlias = bool | None
Test: TypeAlias = Callable[[Work], Verdict]
Judge: TypeAlias = Callable[[object, Work], Verdict]
Join: TypeAlias = Literal["and", "or"]

_AT_ONE_STROKE: Final = 131_072
_TRUE_WHEN_MISSING: Final = ("neq", "not_in", "not_contains")
_COMPARISONS: Final[dict[str, Callable[[ExactNumber, ExactNumber], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


@dataclass(slots=True)
class CompiledCondition:
    """`program`: the size of the regex's program, 0 for another operator."""

    source: Condition
    test: Test
    program: int


class Compiler:
    """Compiles the conditions of one policy; what they share is made once."""

    def __init__(self) -> None:
        self._patterns = Patterns()
        self._hosts = HostIndex()
        self._probe = Work({})

    def condition(self, source: Condition, join: Join) -> CompiledCondition:
        steps, judge = source.path.steps, self._judge(source.op, source.value)
        test = _test_each if EACH in steps else _test_one
        program = self._patterns.size_of(source)
        return CompiledCondition(source, test(steps, judge, _when_missing(source), join), program)

    def _judge(self, op: Operator, value: JsonValue) -> Judge:
        match op:
            case "eq" | "neq":
                return _equals(self._probe.key(value), op == "eq")
            case "in" | "not_in":
                return _is_in(frozenset(map(self._probe.key, _list(value))), op == "in")
            case "lt" | "lte" | "gt" | "gte":
                return _compares(_COMPARISONS[op], _number(value))
            case "contains" | "not_contains":
                return _contains(value, self._probe.key(value), op == "contains")
            case "starts_with" | "ends_with":
                return _starts(_text(value)) if op == "starts_with" else _ends(_text(value))
            case "regex" | "matches":
                return _finds(self._patterns.finder(_text(value), op == "matches"))
            case "exists":
                return _exists(value is True)
            case "length_lte" | "length_gte":
                return _measures(operator.le if op == "length_lte" else operator.ge, _number(value))
            case "under_path":
                return _is_under(resolve_path(_text(value)) or ())
            case "host_in":
                patterns = [parse_host_pattern(_text(host)) for host in _list(value)]
                return _has_host(self._hosts, self._hosts.add(pattern for pattern in patterns if pattern))


def _when_missing(source: Condition) -> bool:
    return source.op in _TRUE_WHEN_MISSING or (source.op == "exists" and source.value is False)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _number(value: JsonValue) -> ExactNumber:
    number = exact(value)
    return 0 if number is None else number


# Where a condition looks


def _test_one(steps: tuple[Step, ...], judge: Judge, missing: bool, join: Join) -> Test:
    if len(steps) == 1 and isinstance(steps[0], str):
        member = steps[0]

        def test_member(work: Work) -> Verdict:
            value = work.arguments.get(member, MISSING)
            return missing if value is MISSING else judge(value, work)

        return test_member

    if all(isinstance(step, str) for step in steps):
        return _test_members(steps, judge, missing)

    def test_path(work: Work) -> Verdict:
        value = walk(work.arguments, steps)
        if value is WRONG_KIND:
            return None
        return missing if value is MISSING else judge(value, work)

    return test_path


def _test_members(steps: tuple[Step, ...], judge: Judge, missing: bool) -> Test:
    def test_members(work: Work) -> Verdict:
        value: object = work.arguments
        for step in steps:
            if isinstance(value, dict):
                value = value.get(step, MISSING)
            else:
                return missing if value is None or value is MISSING else None
        return missing if value is MISSING else judge(value, work)

    return test_members


def _test_each(steps: tuple[Step, ...], judge: Judge, missing: bool, join: Join) -> Test:
    # *and* ends with the first false, *or* with the first true; undecidable ones wait for that.
    decisive = join == "or"

    def test_each(work: Work) -> Verdict:
        if not work.each_allowed:
            return None
        found = work.each(steps)
        if found.missing and missing is decisive:
            return decisive
        undecidable = found.wrong > 0
        for value in found.values:
            verdict = judge(value, work)
            if verdict is decisive:
                return decisive
            undecidable = undecidable or verdict is None
        return None if undecidable else not decisive

    return test_each


# What a condition asks of a value that is there, null included


def _equals(expected: object, positive: bool) -> Judge:
    def equals(value: object, work: Work) -> Verdict:
        key = work.key(value)
        return None if key is INEXACT else (key == expected) is positive

    return equals


def _is_in(expected: frozenset[object], positive: bool) -> Judge:
    def is_in(value: object, work: Work) -> Verdict:
        key = work.key(value)
        return None if key is INEXACT else (key in expected) is positive

    return is_in


def _compares(compare: Callable[[ExactNumber, ExactNumber], bool], expected: ExactNumber) -> Judge:
    def compares(value: object, work: Work) -> Verdict:
        number = work.number(value)
        return None if number is None else compare(number, expected)

    return compares


def _contains(expected: JsonValue, expected_key: object, positive: bool) -> Judge:
    def contains(value: object, work: Work) -> Verdict:
        if isinstance(value, str):
            if not isinstance(expected, str) or (len(value) > SHORT_TEXT and not work.search_allowed):
                return None
            return _holds(value, expected) is positive
        if not isinstance(value, list):
            return None
        keys = work.element_keys(value)
        return None if keys is None else (expected_key in keys) is positive

    return contains


def _holds(text: str, wanted: str) -> bool:
    """In pieces where it is long: one search holds up every other thread until it is over."""
    if len(text) <= _AT_ONE_STROKE:
        return wanted in text
    more = len(wanted) - 1
    starts = range(0, len(text), _AT_ONE_STROKE)
    return any(text.find(wanted, at, at + _AT_ONE_STROKE + more) >= 0 for at in starts)


def _starts(expected: str) -> Judge:
    return lambda value, work: value.startswith(expected) if isinstance(value, str) else None


def _ends(expected: str) -> Judge:
    return lambda value, work: value.endswith(expected) if isinstance(value, str) else None


def _finds(finds: Finds) -> Judge:
    def found(value: object, work: Work) -> Verdict:
        if not isinstance(value, str) or not work.regex_allowed:
            return None
        try:
            return finds(value.encode())
        except UnicodeEncodeError:
            return None

    return found


def _exists(wanted: bool) -> Judge:
    return lambda value, work: (value is not None) is wanted


def _measures(compare: Callable[[ExactNumber, ExactNumber], bool], expected: ExactNumber) -> Judge:
    return lambda value, work: compare(len(value), expected) if isinstance(value, str | list | dict) else None


def _is_under(above: tuple[str, ...]) -> Judge:
    def is_under(value: object, work: Work) -> Verdict:
        path = work.resolved(value) if isinstance(value, str) else None
        return None if path is None else path[: len(above)] == above

    return is_under


def _has_host(index: HostIndex, bit: int) -> Judge:
    def has_host(value: object, work: Work) -> Verdict:
        lists = work.host_lists(value, index) if isinstance(value, str) else None
        return None if lists is None else lists & bit != 0

    return has_host
