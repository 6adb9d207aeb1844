"""Puts what a schema's references lead to in their place. Servers written in Python have many: one class, one
`$ref`. Schemas come from servers: a reference that leads in a circle or elsewhere stays what it is."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeGuard

Schema: TypeAlias = Mapping[str, object]

_OF_DEFINITIONS: Final = ("$defs", "definitions")
# What may stand beside a reference and narrows nothing.
_SAYS_NOTHING: Final = frozenset(
    {"$ref", "$comment", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
_ALTERNATIVES: Final = ("anyOf", "oneOf")
_DEEPEST: Final = 32
_MOST_PARTS: Final = 20_000


def resolved(schema: object, may_go_on: Callable[[], bool] = lambda: True) -> object:
    """Return the schema without references to its own definitions in properties, elements and alternatives.

    What several references lead to is shared, not copied. `may_go_on`: asked for each part.
    """
    if not _is_map(schema) or schema.keys().isdisjoint(_OF_DEFINITIONS):
        return schema
    return _Resolution(schema, may_go_on).of(schema, 0)


class _Resolution:
    def __init__(self, root: Schema, may_go_on: Callable[[], bool]) -> None:
        self._may_go_on = may_go_on
        self._definitions = {
            f"#/{kind}/{name}": definition
            for kind in _OF_DEFINITIONS
            if _is_map(named := root.get(kind))
            for name, definition in named.items()
        }
        self._known: dict[str, object] = {}
        self._parts = 0

    def of(self, schema: object, depth: int) -> object:
        self._parts += 1
        if not _is_map(schema) or depth > _DEEPEST or self._parts > _MOST_PARTS or not self._may_go_on():
            return schema
        if depth and "$id" in schema:
            return schema  # its references are to its own definitions
        if isinstance(reference := schema.get("$ref"), str):
            return self._led(schema, reference, depth) if schema.keys() <= _SAYS_NOTHING else schema
        changed: dict[str, object] = {}
        if _is_map(listed := schema.get("properties")):
            changed["properties"] = {name: self.of(each, depth + 1) for name, each in listed.items()}
        if "items" in schema:
            changed["items"] = self.of(schema["items"], depth + 1)
        for key in _ALTERNATIVES:
            if isinstance(offered := schema.get(key), list):
                changed[key] = [self.of(each, depth + 1) for each in offered]
        return {**schema, **changed}

    def _led(self, schema: Schema, reference: str, depth: int) -> object:
        if reference not in self._definitions:
            return schema
        if reference not in self._known:
            self._known[reference] = schema  # a definition that leads back to itself meets this
            self._known[reference] = self.of(self._definitions[reference], depth + 1)
        found = self._known[reference]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**found, **beside} if _is_map(found) and "$ref" not in found else schema


def _is_map(schema: object) -> TypeGuard[Schema]:
    return isinstance(schema, Mapping)
