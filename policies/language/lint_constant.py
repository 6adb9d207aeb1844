"""Finds predicates that the tool's schema alone decides, whatever a call says.

Where the schema leaves anything open, or a value could not be judged, the answer is None.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from .compile import ToolFacts
from .conditions import Compiler
from .document import Condition, JsonValue, Predicate
from .exact import ExactNumber, exact
from .lint_schema import always_there, choices, follow, may_equal, types
from .paths import Path
from .work import Work

_TRUE_WHEN_MISSING: Final = ("neq", "not_in", "not_contains")
_NUMBERS: Final = frozenset({"number", "integer"})
_MOST_CHOICES: Final = 200
_VALUE: Final = Path("args.value", ("value",))
# The schema keywords that bound the length of each type that has one.
_LENGTHS: Final = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def predicate_by_schema(tool: ToolFacts, section: str, predicate: Predicate) -> bool | None:
    results = {_condition(tool, section, condition) for condition in predicate.conditions}
    if False in results:
        return False
    return None if None in results else True


def _condition(tool: ToolFacts, section: str, condition: Condition) -> bool | None:
    reached = follow(tool.input_schema, condition.path.steps)
    if reached is None or not reached[1]:
        return None
    result = _for_every_value(reached[0], condition)
    missing = condition.op in _TRUE_WHEN_MISSING or (condition.op == "exists" and condition.value is False)
    if result is not missing and not always_there(tool.input_schema, condition.path.steps):
        return None
    # On an empty list a requirement holds and a denial does not, whatever its elements could be.
    if condition.path.quantified and result is not (section == "require"):
        return None
    return result


def _for_every_value(schema: object, condition: Condition) -> bool | None:
    listed = choices(schema)
    if listed is not None and len(listed) <= _MOST_CHOICES:
        return _only(_judged(condition, value) for value in listed)
    match condition.op:
        case "eq" | "in" | "neq" | "not_in":
            return _equality(schema, condition)
        case "lt" | "lte" | "gt" | "gte":
            return _between(condition, *_number_bounds(schema))
        case "length_lte" | "length_gte":
            return _between(condition, *_length_bounds(schema))
        case "contains" | "not_contains":
            return _membership(schema, condition)
        case "exists":
            allowed = types(schema)
            return None if allowed is None or "null" in allowed else condition.value is True
        case _:
            return None


def _only(verdicts: Iterator[bool | None]) -> bool | None:
    found = set(verdicts)
    return found.pop() if len(found) == 1 else None


def _judged(condition: Condition, value: object) -> bool | None:
    compiled = Compiler().condition(Condition(_VALUE, condition.op, condition.value), "and")
    return compiled.test(Work({"value": value}))


def _equality(schema: object, condition: Condition) -> bool | None:
    values: list[JsonValue] = [condition.value]
    if condition.op in ("in", "not_in") and isinstance(condition.value, list):
        values = condition.value
    if any(may_equal(schema, value) for value in values):
        return None
    return condition.op in ("neq", "not_in")


def _membership(schema: object, condition: Condition) -> bool | None:
    """Of a list: elements of another type than the value are never equal to it."""
    if not isinstance(schema, Mapping) or types(schema) != frozenset({"array"}) or "prefixItems" in schema:
        return None
    return None if may_equal(schema.get("items"), condition.value) else condition.op == "not_contains"


_Bound = tuple[ExactNumber, bool]  # the bound, and whether the value may equal it


def _number_bounds(schema: object) -> tuple[_Bound | None, _Bound | None]:
    allowed = types(schema)
    if not isinstance(schema, Mapping) or allowed is None or not allowed <= _NUMBERS:
        return None, None
    lows = [_bound(schema, "minimum", True), _bound(schema, "exclusiveMinimum", False)]
    highs = [_bound(schema, "maximum", True), _bound(schema, "exclusiveMaximum", False)]
    # Of two equal bounds the exclusive one is tighter.
    low = max((each for each in lows if each), key=lambda each: (each[0], not each[1]), default=None)
    high = min((each for each in highs if each), key=lambda each: (each[0], each[1]), default=None)
    return low, high


def _length_bounds(schema: object) -> tuple[_Bound | None, _Bound | None]:
    allowed = types(schema)
    if not isinstance(schema, Mapping) or allowed is None or len(allowed) != 1:
        return None, None
    (only,) = allowed
    if only not in _LENGTHS:
        return None, None
    least, most = _LENGTHS[only]
    return _bound(schema, least, True) or (0, True), _bound(schema, most, True)


def _bound(schema: Mapping[str, object], key: str, inclusive: bool) -> _Bound | None:
    value = exact(schema.get(key))
    return None if value is None else (value, inclusive)


def _between(condition: Condition, low: _Bound | None, high: _Bound | None) -> bool | None:
    """Return the verdict that a comparison has for all values from `low` to `high`, if there is one."""
    value = exact(condition.value)
    if value is None:
        return None
    if condition.op in ("lt", "lte", "length_lte"):
        strict = condition.op == "lt"
        if high is not None and (high[0] < value or (high[0] == value and not (strict and high[1]))):
            return True
        beyond = low is not None and (low[0] > value or (low[0] == value and (strict or not low[1])))
    else:
        strict = condition.op == "gt"
        if low is not None and (low[0] > value or (low[0] == value and not (strict and low[1]))):
            return True
        beyond = high is not None and (high[0] < value or (high[0] == value and (strict or not high[1])))
    return False if beyond else None
