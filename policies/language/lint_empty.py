"""Finds conditions with an empty value: until one is written, they hold for everything or for nothing."""

from collections.abc import Iterator, Mapping
from typing import Final

from .document import Condition
from .lint_survey import COMES_OF, Entry, LintFinding, warning

# Whether an operator holds for every call if its list is empty.
_OF_NO_VALUE: Final[Mapping[str, bool]] = {"in": False, "host_in": False, "not_in": True}
_OF_NO_TEXT: Final[Mapping[str, str]] = {
    "starts_with": "every text starts with it",
    "ends_with": "every text ends with it",
    "contains": "every text contains it",
    "not_contains": "no text is without it",
    "regex": "every text contains it",
}


def says_nothing(op: str, value: object) -> bool:
    """Return whether the value makes the operator hold for all, or for none, of what it can compare."""
    match op:
        case "in" | "host_in" | "not_in":
            return value == []
        case "under_path":
            return isinstance(value, str) and value != "" and not value.strip("/")
        case "length_gte":
            return value == 0
        case _:
            return op in _OF_NO_TEXT and value == ""


def empty_values(entry: Entry, section: str, at: str, condition: Condition) -> Iterator[LintFinding]:
    if says_nothing(condition.op, condition.value):
        yield warning(at, "empty_value", _message(entry, section, at, condition))


def _message(entry: Entry, section: str, at: str, condition: Condition) -> str:
    match condition.op:
        case "under_path":
            return "Every path is below /. Write the path that is meant."
        case "length_gte":
            return "Every length is at least 0. Write the length that is meant."
        case "in" | "host_in" | "not_in":
            comes_of = _comes_of(entry, section, at, condition)
            return f"No value is written here, so {comes_of}. Write at least one."
        case op:
            return f"The value is empty, and {_OF_NO_TEXT[op]}. Write the text that is meant."


def _comes_of(entry: Entry, section: str, at: str, condition: Condition) -> str:
    holds = _OF_NO_VALUE[condition.op]
    beside = next(asked.conditions for _, of, asked in entry.asked if at.startswith(f"{of}/"))
    # What else a call has to meet is not known, nor whether a list has an element.
    if condition.path.quantified or (holds and len(beside) > 1):
        return "this holds for every value" if holds else "this holds for no value"
    return COMES_OF[section, holds]
