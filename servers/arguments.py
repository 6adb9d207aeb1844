"""A tool's arguments for people to read, taken from whatever an untrusted server calls a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from policies.language.lint_schema import but_null, types
from policies.language.schema_refs import resolved

MOST_SHOWN: Final = 200
_VALUES_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    kind: str
    is_required: bool
    says: str


def arguments_of(schema: object) -> list[Argument]:
    """Returns those of the first level, in the server's order; for the rest there is the schema itself."""
    schema = resolved(schema)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not isinstance(schema, dict):
        return []
    listed = schema.get("required")
    required = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    return [
        _argument(str(name), described if isinstance(described, dict) else {}, name in required)
        for name, described in islice(properties.items(), MOST_SHOWN)
    ]


def _argument(name: str, described: Mapping[str, Any], is_required: bool) -> Argument:
    says = described.get("description")
    return Argument(name, _kind(described), is_required, says if isinstance(says, str) else "")


def _kind(described: Mapping[str, Any]) -> str:
    beside_null = but_null(described)
    if isinstance(beside_null, Mapping) and beside_null is not described:
        return f"{_plain_kind(beside_null)} or null"
    return _plain_kind(described)


def _plain_kind(described: Mapping[str, Any]) -> str:
    values = described.get("enum")
    if isinstance(values, list) and values:
        rest = len(values) - _VALUES_SHOWN
        shown = ", ".join(
            str(value) for value in values[:_VALUES_SHOWN] if not isinstance(value, dict | list)
        )
        return f"one of {shown}" + (f" and {rest} more" if rest > 0 else "")
    kind = described.get("type")
    if isinstance(kind, str):
        return kind
    told = [each for each in kind if isinstance(each, str)] if isinstance(kind, list) else []
    return " or ".join(told or sorted(types(described) or ())) or "anything"
