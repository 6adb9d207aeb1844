"""Finds what an argument may also be in another type: to a rule the text “5” is not the number 5."""

import re
from collections.abc import Iterator
from typing import Final

from .document import Condition, JsonValue, Operator
from .exact import ExactNumber, exact, exact_text, plain_text
from .identity import identity_text
from .lint_schema import follow, may_equal, types
from .lint_survey import Entry, LintFinding, Patience, Survey, warning
from .phrases import value_words

# The operators that compare with a value as it is, each with the one that takes several.
WITH_SEVERAL: Final = {"eq": "in", "in": "in", "neq": "not_in", "not_in": "not_in"}
NUMBER: Final = frozenset({"number", "integer"})
_TEXT: Final = frozenset({"string"})
_SIZED: Final = frozenset({"string", "array", "object"})
_JUDGES: Final[dict[Operator, frozenset[str]]] = {
    **dict.fromkeys(("lt", "lte", "gt", "gte"), NUMBER),
    **dict.fromkeys(("starts_with", "ends_with", "regex", "matches", "under_path", "host_in"), _TEXT),
    **dict.fromkeys(("length_lte", "length_gte"), _SIZED),
}
_NAMED: Final = {
    "string": "a text",
    "number": "a number",
    "integer": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
}
_OF_ELEMENTS: Final = ("contains", "not_contains")
_MOST_VALUES: Final = 100
_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,16})?\Z")
# What becomes of a call with the other value, by section and by whether the condition holds for it.
_COMES_OF: Final = {
    ("require", False): "is denied",
    ("require", True): "meets this",
    ("deny_if", False): "is not denied by this",
    ("deny_if", True): "is denied",
    ("approve_if", False): "asks nobody",
    ("approve_if", True): "waits for a person",
}


def other_types(
    survey: Survey, entry: Entry, section: str, at: str, condition: Condition
) -> Iterator[LintFinding]:
    pairs = _pairs(condition) if entry.rule.action != "deny" else []
    if not pairs or not survey.patience.spend(Patience.LOOK * len(pairs)):
        return
    found, is_met = None, False
    for tool in survey.look_at(entry.tools):
        reached = follow(tool.input_schema, condition.path.steps)
        schema = reached[0] if reached else None
        if condition.op in _OF_ELEMENTS:
            schema = _elements(schema)
        for value, other in pairs:
            is_met = is_met or may_equal(schema, value)
            if found is None and types(schema) is not None and may_equal(schema, other):
                found = tool.name, value, other
    # What no tool can have as it is written is constant, which is said of it already.
    if found is not None and is_met:
        name, value, other = found
        becomes = _comes_of(entry, section, at, condition)
        message = (
            f"In {name}, {condition.path.text} may also be {_words(other)}, which never equals "
            f"{_words(value)}: a call with it {becomes}. {_mend(condition)}"
        )
        yield warning(at, "other_type", message)


def unjudged_types(
    survey: Survey, entry: Entry, section: str, at: str, condition: Condition
) -> Iterator[LintFinding]:
    """Find an argument that the operator can judge in one of its types and not in another."""
    judges = judged_types(condition)
    if judges is None or entry.rule.action == "deny":
        return
    for tool in survey.look_at(entry.tools):
        reached = follow(tool.input_schema, condition.path.steps)
        allowed = (types(reached[0]) if reached else None) or frozenset()
        # Null is how a call leaves an optional argument out.
        odd = sorted(allowed - judges - {"null"})
        if odd and allowed & judges:
            alone = section == "require" or len(_beside(entry, at)) == 1
            kinds = " or ".join(dict.fromkeys(_NAMED[word] for word in odd))
            message = (
                f"In {tool.name}, {condition.path.text} may also be {kinds}, which {condition.op} cannot "
                f"judge: a call with that {'is' if alone else 'can be'} denied. "
                "Say in on_deny what agents have to send."
            )
            yield warning(at, "other_type", message)
            return


def judged_types(condition: Condition) -> frozenset[str] | None:
    if condition.op in _OF_ELEMENTS:
        return frozenset({"string", "array"}) if isinstance(condition.value, str) else frozenset({"array"})
    return _JUDGES.get(condition.op)


def _beside(entry: Entry, at: str) -> tuple[Condition, ...]:
    return next(predicate.conditions for _, of, predicate in entry.asked if at.startswith(f"{of}/"))


def _comes_of(entry: Entry, section: str, at: str, condition: Condition) -> str:
    holds = condition.op in ("neq", "not_in", "not_contains")
    # Whether the others hold as well is not known.
    return "meets this" if holds and len(_beside(entry, at)) > 1 else _COMES_OF[section, holds]


def twin(value: object) -> str | bool | ExactNumber | None:
    """Return the value of another type that people write alike; None if there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        number = exact(value)
        return None if number is None else plain_text(number)
    if value in ("true", "false"):
        return value == "true"
    number = exact_text(value) if _NUMBER.match(value) else None
    return number if number is not None and plain_text(number) == value else None


def _pairs(condition: Condition) -> list[tuple[JsonValue, JsonValue]]:
    """Return the values that are compared, each with its twin, if that is not compared too."""
    if condition.op not in WITH_SEVERAL and condition.op not in _OF_ELEMENTS:
        return []
    given = condition.value
    values = given if condition.op in ("in", "not_in") and isinstance(given, list) else [given]
    there = {identity_text(value) for value in values[:_MOST_VALUES]}
    twins = [(value, twin(value)) for value in values[:_MOST_VALUES]]
    return [
        (value, other) for value, other in twins if other is not None and identity_text(other) not in there
    ]


def _elements(schema: object) -> object:
    return schema.get("items") if isinstance(schema, dict) and types(schema) == frozenset({"array"}) else None


def _words(value: JsonValue) -> str:
    kind = "the text " if isinstance(value, str) else "the number " if not isinstance(value, bool) else ""
    return f"{kind}{value_words(value)}"


def _mend(condition: Condition) -> str:
    several = WITH_SEVERAL.get(condition.op)
    return f'Write "{several}" with both in its list.' if several else "Write a condition for each."
