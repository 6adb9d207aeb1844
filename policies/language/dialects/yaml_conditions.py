"""Conditions of the `rules` dialect, where values are compared as printed and missing ones fail."""

import re
from typing import Final

from ..exact import exact_text, plain_text
from ..json_reader import Number
from .own_counters import PLAIN_PATH
from .source import Data

_OPERATORS: Final = ("eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "regex", "contains", "exists")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")


def convert_condition(condition: Data) -> list[Data] | str:
    """Return the conditions that mean the same, or the code of why there are none."""
    path = condition.get("path") if isinstance(condition, dict) else None
    if isinstance(path, str) and path.startswith("state."):
        return "state_reference"
    if not isinstance(condition, dict) or set(condition) != {"path", "op", "value"}:
        return "condition"
    if not isinstance(path, str) or not PLAIN_PATH.match(path) or condition["op"] not in _OPERATORS:
        return "condition"
    if condition["op"] in ("neq", "not_in"):
        return _excludes(path, condition)
    return [condition]


def _excludes(path: str, condition: dict[str, Data]) -> list[Data] | str:
    value = condition["value"]
    exists: Data = {"path": path, "op": "exists", "value": True}
    if condition["op"] == "not_in" and not isinstance(value, list):
        return [exists, condition]
    values = value if condition["op"] == "not_in" and isinstance(value, list) else [value]
    if any(isinstance(one, list | dict) for one in values):
        return "condition"
    twins = [twin for one in values if (twin := _twin(one)) is not None]
    if twins:
        return [exists, {"path": path, "op": "not_in", "value": [*values, *twins]}]
    return [exists, condition]


def _twin(value: Data) -> Data:
    """Return the other value that prints the same there; None if there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        number = exact_text(value.text)
        return None if number is None else plain_text(number)
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and _JSON_NUMBER.match(value) and exact_text(value) is not None:
        return Number(value)
    return None
