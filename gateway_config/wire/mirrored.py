"""Which arguments of a tool are repeated in `Mcp-Param-*` headers, as `x-mcp-header` in its schema says.

Revision 2026-07-28 accepts an annotation only on a string, an integer or a boolean that is reached from the
root through `properties` alone, with a token for a name that is unique in whatever case. One annotation that
breaks this spoils the whole definition: then no header stands for anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["string", "integer", "boolean"]


class MirroredArgument(msgspec.Struct, frozen=True, array_like=True):
    """`header` is what follows `Mcp-Param-`; `path` leads through objects to the argument."""

    header: str
    path: tuple[str, ...]
    kind: Kind


ANNOTATION: Final = "x-mcp-header"
_MOST: Final = 64
_LONGEST_PATH: Final = 16
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_KINDS: Final[Mapping[str, Kind]] = {"string": "string", "integer": "integer", "boolean": "boolean"}
# Where JSON Schema has schemas within schemas; anything elsewhere is data and annotates nothing.
_ONE_WITHIN: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST_WITHIN: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED_WITHIN: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties"})

_Path: TypeAlias = tuple[str, ...] | None


class _Spoilt(Exception):  # noqa: N818
    pass


def mirrored_arguments(schema: object) -> tuple[MirroredArgument, ...]:
    found: dict[str, MirroredArgument] = {}
    try:
        for path, inner in _schemas(schema):
            if ANNOTATION in inner:
                one = _annotated(path, inner)
                if found.setdefault(one.header.lower(), one) is not one or len(found) > _MOST:
                    return ()
    except _Spoilt:
        return ()
    return tuple(sorted(found.values(), key=lambda one: one.path))


def _annotated(path: _Path, schema: Mapping[str, Any]) -> MirroredArgument:
    header, kind = schema[ANNOTATION], schema.get("type")
    if not path or len(path) > _LONGEST_PATH:
        raise _Spoilt
    if not isinstance(header, str) or not _TOKEN.fullmatch(header):
        raise _Spoilt
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _Spoilt
    return MirroredArgument(header, path, _KINDS[kind])


def _schemas(root: object) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    """Every schema in it, with the properties that lead there; None if anything else is on the way."""
    waiting: list[tuple[_Path, object]] = [((), root)]
    while waiting:
        path, schema = waiting.pop()
        if isinstance(schema, Mapping):
            yield path, schema
            for keyword, value in schema.items():
                waiting.extend(_within(path, keyword, value))


def _within(path: _Path, keyword: str, value: object) -> Iterator[tuple[_Path, object]]:
    if keyword == "properties" and isinstance(value, Mapping):
        for name, inner in value.items():
            yield None if path is None else (*path, name), inner
    elif keyword in _NAMED_WITHIN and isinstance(value, Mapping):
        yield from ((None, inner) for inner in value.values())
    elif keyword in _LIST_WITHIN and isinstance(value, Sequence) and not isinstance(value, str):
        yield from ((None, inner) for inner in value)
    elif keyword in _ONE_WITHIN:
        yield None, value
