"""What a tool's schema says about its arguments. Schemas come from servers: nothing in them is trusted.

An answer of None means not known. Schemas that are composed from parts are not looked into.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias, TypeGuard

from .document import JsonValue
from .identity import identity_text
from .paths import EACH, Step, member_path

Schema: TypeAlias = Mapping[str, object]

_COMPOSED: Final = (
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "patternProperties",
    "dependentSchemas",
)
_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_ONLY: Final = {word: frozenset({word}) for word in _TYPES}
_MOST_ALTERNATIVES: Final = 10
# What a schema may say beside its alternatives that narrows them.
_SAYS_MORE: Final = ("type", "allOf", "if", "properties", "required", "items", "enum", "const")


def _is_map(schema: object) -> TypeGuard[Mapping[str, object]]:
    # The usual type first: checking for the abstract one takes longer than all the rest.
    return type(schema) is dict or isinstance(schema, Mapping)


def _is_composed(schema: Mapping[str, object]) -> bool:
    return not schema.keys().isdisjoint(_COMPOSED)


def properties(schema: object) -> Mapping[str, object] | None:
    """Return the arguments that the schema lists, if it lists them plainly."""
    if not _is_map(schema) or _is_composed(schema):
        return None
    listed = schema.get("properties", {})
    return listed if _is_map(listed) else None


def is_closed(schema: object) -> bool:
    return _is_map(schema) and schema.get("additionalProperties") is False


def is_optional(schema: object, name: str) -> bool | None:
    listed = properties(schema)
    if listed is None or name not in listed or not _is_map(schema):
        return None
    required = schema.get("required", [])
    return name not in required if isinstance(required, list) else None


def types(schema: object) -> frozenset[str] | None:
    """Return the JSON types that the schema allows, by its own `type` or by that of its alternatives."""
    own = _own_types(schema)
    if own is not None or not _is_map(schema) or "type" in schema:
        return own
    found = frozenset[str]()
    for alternative in _alternatives(schema):
        allowed = _own_types(alternative)
        if allowed is None:
            return None
        found |= allowed
    return found or None


def _own_types(schema: object) -> frozenset[str] | None:
    if not _is_map(schema) or "$ref" in schema or "$dynamicRef" in schema:
        return None
    said = schema.get("type")
    if isinstance(said, str):
        return _ONLY.get(said)
    words = said
    if not isinstance(words, list) or not all(isinstance(word, str) and word in _TYPES for word in words):
        return None
    return frozenset(words)


def _alternatives(schema: Schema) -> Sequence[object]:
    """Return what the schema offers to choose from, as a text or a number. Not what those offer in turn."""
    listed = schema.get("anyOf", schema.get("oneOf"))
    refers = "$ref" in schema or "$dynamicRef" in schema
    return listed if isinstance(listed, list) and len(listed) <= _MOST_ALTERNATIVES and not refers else ()


def but_null(schema: object) -> object:
    """Return the only alternative beside null, as many servers write an argument that may be left out."""
    if not _is_map(schema) or not schema.keys().isdisjoint(_SAYS_MORE):
        return schema
    others = [each for each in _alternatives(schema) if _own_types(each) != _ONLY["null"]]
    return others[0] if len(others) == 1 else schema


def follow(schema: object, steps: Iterable[Step], *, past_null: bool = True) -> tuple[object, bool] | None:
    """Return the schema where the steps lead; or (None, False) if a step can only meet the wrong kind.

    `past_null`: a step from null is none of those; what it leads to is missing.
    """
    beside = {"null"} if past_null else set[str]()
    for step in steps:
        allowed = types(schema)
        needed = "object" if isinstance(step, str) else "array"
        if allowed is not None and not allowed & {needed, *beside}:
            return None, False
        schema = but_null(schema)
        if isinstance(step, str):
            listed = properties(schema)
            schema = None if listed is None else listed.get(step)
        else:
            items = schema.get("items") if _is_map(schema) and "prefixItems" not in schema else None
            schema = items if _is_map(items) else None
        if schema is None:
            return None
    return schema, True


def first_unlisted(schema: object, steps: Iterable[Step]) -> tuple[int, Mapping[str, object]] | None:
    """Find the first member inside an argument that its object does not list: its place, and what is listed.

    None if there is no such member, or if the object may hold others.
    """
    for place, step in enumerate(steps):
        listed = properties(schema) if place else None
        if listed and isinstance(step, str) and step not in listed and _is_map(schema):
            others = schema.get("additionalProperties", schema.get("unevaluatedProperties", False))
            return (place, listed) if others is False else None
        reached = follow(schema, (step,))
        if reached is None or not reached[1]:
            return None
        schema = reached[0]
    return None


def below(schema: object, name: str) -> str | None:
    """Return the path of a member that is not itself an argument, but is in one or in its elements."""
    for outer, inner in (properties(schema) or {}).items():
        of_each = inner.get("items") if _is_map(inner) and types(inner) == _ONLY["array"] else None
        if name in (properties(inner if of_each is None else of_each) or {}):
            each = "" if of_each is None else "[*]"
            return f"{member_path(outer)}{each}{member_path(name).removeprefix('args')}"
    return None


def always_there(schema: object, steps: Iterable[Step]) -> bool:
    """Return whether every value that the schema allows has something, even null, where the steps lead."""
    for step in steps:
        if not isinstance(step, str):
            # A list may be shorter than an index; an empty one has no element that could lack what follows.
            if step is not EACH or types(schema) != _ONLY["array"]:
                return False
            schema = schema.get("items") if _is_map(schema) else None
            continue
        if is_optional(schema, step) is not False or types(schema) != _ONLY["object"]:
            return False
        listed = properties(schema)
        schema = listed.get(step) if listed is not None else None
    return True


def choices(schema: object) -> list[object] | None:
    """Return all values that the schema allows, if it lists them."""
    if not _is_map(schema) or _is_composed(schema):
        return None
    allowed = types(schema)
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    if isinstance(listed, list) and listed:
        return [value for value in listed if allowed is None or _has_type(value, allowed)]
    return [True, False] if allowed == _ONLY["boolean"] else None


def _has_type(value: object, allowed: frozenset[str]) -> bool:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return bool(allowed & {"number", "integer"})
    kinds = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value)) in allowed


def may_equal(schema: object, value: JsonValue) -> bool:
    """Return False only if the schema excludes the value."""
    allowed = types(schema)
    if allowed is not None and not allowed & _types_of(value):
        return False
    if not _is_map(schema) or "$ref" in schema:
        return True
    offered = _alternatives(schema)
    if offered and not any(_may_be_listed(each, value) for each in offered):
        return False
    return _may_be_listed(schema, value)


def _may_be_listed(schema: object, value: JsonValue) -> bool:
    """Return False only if the schema's own type, `enum` or `const` excludes the value."""
    allowed = _own_types(schema)
    if allowed is not None and not allowed & _types_of(value):
        return False
    if not _is_map(schema) or "$ref" in schema:
        return True
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(listed, list):
        return True
    try:
        return identity_text(value) in {identity_text(choice) for choice in listed}
    except (TypeError, ValueError):
        return True


def _types_of(value: JsonValue) -> frozenset[str]:
    if value is None:
        return frozenset({"null"})
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int):
        return frozenset({"integer", "number"})
    if isinstance(value, Decimal):
        return frozenset({"number"})
    return frozenset(
        {"string"} if isinstance(value, str) else {"array"} if isinstance(value, list) else {"object"}
    )
