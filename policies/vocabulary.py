"""What can appear where in a policy's text, for an editor that completes and explains as people type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from policies.builder.arguments import Argument, arguments_of, shared_arguments
from policies.language.document import CLASSES
from policies.language.reference_codes import LIKENESS
from policies.language.schema import schema
from servers.models import Tool

MOST_TOOLS: Final = 5_000
_LONGEST: Final = 256
_PARTS: Final[Mapping[str, Sequence[str]]] = {
    "policy": (),
    "rule": ("$defs", "rule"),
    "rate_limit": ("$defs", "rule", "properties", "rate_limit"),
    "predicate": ("$defs", "predicate"),
    "condition": ("$defs", "condition"),
    "limit": ("$defs", "limit"),
    "access": ("$defs", "access"),
}


@cache
def of_language() -> dict[str, Any]:
    """Returns, by part and key, what the key means (`keys`) and which values it can have (`words`)."""
    root = schema()
    parts = {part: _at(root, [*steps, "properties"]) for part, steps in _PARTS.items()}
    return {
        "keys": {
            part: {key: str(spec.get("description", "")) for key, spec in properties.items()}
            for part, properties in parts.items()
        },
        "words": {
            part: {key: words for key, spec in properties.items() if (words := _words(_resolved(spec, root)))}
            for part, properties in parts.items()
        },
        "classes": list(CLASSES),
        "operators": dict(LIKENESS),
    }


def of_server(tools: Sequence[Tool]) -> list[list[str]]:
    """Returns the names that can be typed and seen, each with its class."""
    return [[tool.name, tool.tool_class] for tool in tools[:MOST_TOOLS] if _can_be_typed(tool.name)]


def of_rule(tools: Sequence[Tool], *, name: str = "", tool_class: str = "") -> list[dict[str, Any]]:
    """Returns the arguments that a rule for a tool, a class or all tools can be about."""
    if name:
        tool = next((tool for tool in tools if tool.name == name), None)
        found = arguments_of(tool.input_schema) if tool else ()
    else:
        of_class = (tool for tool in tools if not tool_class or tool.tool_class == tool_class)
        found = shared_arguments(tool.input_schema for tool in of_class)
    return [_argument(each) for each in found]


def _argument(argument: Argument) -> dict[str, Any]:
    return {
        "path": argument.path,
        "words": argument.words.removeprefix(argument.path).strip(" ()"),
        "choices": list(argument.choices),
        "operators": list(argument.operators),
        "kind": argument.kind,
    }


def _words(spec: Mapping[str, Any]) -> list[str]:
    if "const" in spec:
        return [str(spec["const"])]
    if "enum" in spec:
        return [str(word) for word in spec["enum"]]
    return [word for each in spec.get("oneOf", ()) for word in _words(each)]


def _resolved(spec: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    named = str(spec.get("$ref", "")).rpartition("/")[2]
    return _at(root, ["$defs", named]) if named else spec


def _at(root: Mapping[str, Any], steps: Sequence[str]) -> Mapping[str, Any]:
    found: Any = root
    for step in steps:
        found = found[step]
    return dict(found)


def _can_be_typed(name: str) -> bool:
    return name.isprintable() and len(name) <= _LONGEST
