"""Compiles conditions into functions: `test(work)` is true, false, or None for undecidable."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .amount import SHORT_TEXT
from .decision import MISSING
from .document import Condition, JsonValue, Operator
from .exact import LARGEST, ExactNumber, exact
from .hosts import HostIndex, parse_host_pattern
from .identity import INEXACT
from .paths import EACH, Step
from .patterns import ANYWHERE, NOWHERE, WHOLE, Match, Patterns
from .textual_paths import resolve_path
from .work import WRONG_KIND, Work, walk

Verdict: TypeAlias = bool | None
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
    """`judge` judges the argument named `member`, or all of them; `missing` is the verdict if it is absent.

    `program`: the size of the regex's program, 0 for other operators.
    """

    source: Condition
    member: str | None
    judge: Judge
    missing: bool
    program: int

    def test(self, work: Work) -> Verdict:
        value = work.arguments if self.member is None else work.arguments.get(self.member, MISSING)
        return self.missing if value is MISSING else self.judge(value, work)


class Compiler:
    """Compiles the conditions of one policy; what they share is compiled once."""

    def __init__(self) -> None:
        self._patterns = Patterns()
        self._hosts = HostIndex()
        self._probe = Work({})

    def condition(self, source: Condition, join: Join) -> CompiledCondition:
        steps, judge, missing = source.path.steps, self._judge(source.op, source.value), _when_missing(source)
        program = self._patterns.size_of(source)
        if EACH in steps:
            return CompiledCondition(source, None, _of_each(steps, judge, missing, join), missing, program)
        member = steps[0] if steps and isinstance(steps[0], str) else None
        further = steps if member is None else steps[1:]
        if further:
            judge = _of_what_is_at(further, judge, missing)
        return CompiledCondition(source, member, judge, missing, program)

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
                return _finds(self._patterns.match(_text(value)), WHOLE if op == "matches" else ANYWHERE)
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


def _of_what_is_at(steps: tuple[Step, ...], judge: Judge, missing: bool) -> Judge:
    def of_what_is_at(value: object, work: Work) -> Verdict:
        found = walk(value, steps)
        if found is WRONG_KIND:
            return None
        return missing if found is MISSING else judge(found, work)

    return of_what_is_at


def _of_each(steps: tuple[Step, ...], judge: Judge, missing: bool, join: Join) -> Judge:
    # *and* ends at the first false, *or* at the first true; undecidable values count only if there is none.
    decisive = join == "or"

    def of_each(_: object, work: Work) -> Verdict:
        if not work.allows_each():
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

    return of_each


# What a condition asks of a value that is present, null included


def _equals(expected: object, positive: bool) -> Judge:
    def equals(value: object, work: Work) -> Verdict:
        key = value if type(value) is str else work.key(value)
        return None if key is INEXACT else (key == expected) is positive

    return equals


def _is_in(expected: frozenset[object], positive: bool) -> Judge:
    def is_in(value: object, work: Work) -> Verdict:
        key = value if type(value) is str else work.key(value)
        return None if key is INEXACT else (key in expected) is positive

    return is_in


def _compares(compare: Callable[[ExactNumber, ExactNumber], bool], expected: ExactNumber) -> Judge:
    def compares(value: object, work: Work) -> Verdict:
        if type(value) is int and -LARGEST <= value <= LARGEST:
            return compare(value, expected)
        number = work.number(value)
        return None if number is None else compare(number, expected)

    return compares


def _contains(expected: JsonValue, expected_key: object, positive: bool) -> Judge:
    def contains(value: object, work: Work) -> Verdict:
        if isinstance(value, str):
            if not isinstance(expected, str) or (len(value) > SHORT_TEXT and not work.allows_search()):
                return None
            return _holds(value, expected) is positive
        if not isinstance(value, list):
            return None
        keys = work.element_keys(value)
        return None if keys is None else (expected_key in keys) is positive

    return contains


def _holds(text: str, wanted: str) -> bool:
    """Search a long text in pieces, because one search holds up every other thread until it ends."""
    if len(text) <= _AT_ONE_STROKE:
        return wanted in text
    more = len(wanted) - 1
    starts = range(0, len(text), _AT_ONE_STROKE)
    return any(text.find(wanted, at, at + _AT_ONE_STROKE + more) >= 0 for at in starts)


def _starts(expected: str) -> Judge:
    return lambda value, work: value.startswith(expected) if isinstance(value, str) else None


def _ends(expected: str) -> Judge:
    return lambda value, work: value.endswith(expected) if isinstance(value, str) else None


def _finds(match: Match, anchor: object) -> Judge:
    def found(value: object, work: Work) -> Verdict:
        if not isinstance(value, str):
            return None
        if len(value) > work.sources.short_alone and not work.allows_regex():
            return None
        try:
            text = value.encode()
        except UnicodeEncodeError:
            return None
        return match(anchor, text, 0, len(text))[0] != NOWHERE

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
