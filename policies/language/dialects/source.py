"""Reads a text that people submit as data: JSON, or the part of YAML 1.2 that has only one meaning."""

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from ..json_reader import DEEPEST, Members, Node, Number, TextError, read_json

Data: TypeAlias = "dict[str, Data] | list[Data] | str | Number | bool | None"

# Reading YAML costs a hundred times what reading JSON costs.
_LARGEST_YAML: Final = 262_144
_NULLS: Final = ("", "~", "null", "Null", "NULL")
_BOOLEANS: Final = {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_DECIMAL = re.compile(r"([-+]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))([eE][-+]?[0-9]+)?\Z")


class NotData(Exception):  # noqa: N818 - not an error of ours
    """The text is neither JSON nor such YAML; the parser says why."""


def read_data(text: str) -> Data:
    if text.lstrip(" \t\r\n").startswith("{"):
        try:
            return _plain(read_json(text))
        except TextError:
            raise NotData from None
    return _read_yaml(text)


def _plain(node: Node) -> Data:
    value = node.value
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if not isinstance(value, Members):
        return value
    members: dict[str, Data] = {}
    for key, _, inner in value.all:
        if key in members:
            raise NotData
        members[key] = _plain(inner)
    return members


def _read_yaml(text: str) -> Data:
    if len(text) > _LARGEST_YAML:
        raise NotData
    try:
        events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
        return _document(events)
    except NotData:
        raise
    except Exception:  # whatever a third-party reader fails on, the text cannot be converted
        raise NotData from None


def _document(events: Iterator[Event]) -> Data:
    if not isinstance(next(events), StreamStartEvent):
        raise NotData
    start = next(events)
    if not isinstance(start, DocumentStartEvent) or start.tags or start.version not in (None, (1, 2)):
        raise NotData
    top = _value(next(events), events, 0)
    next(events)
    if not isinstance(top, dict) or isinstance(next(events), DocumentStartEvent):
        raise NotData
    return top


def _value(event: Event, events: Iterator[Event], depth: int) -> Data:
    if _marked(event):
        raise NotData
    if isinstance(event, ScalarEvent):
        return _scalar(event.value) if event.style is None else str(event.value)
    if depth == DEEPEST:
        raise NotData
    if isinstance(event, MappingStartEvent):
        return _mapping(events, depth + 1)
    if not isinstance(event, SequenceStartEvent):
        raise NotData
    elements: list[Data] = []
    while not isinstance(inner := next(events), SequenceEndEvent):
        elements.append(_value(inner, events, depth + 1))
    return elements


def _mapping(events: Iterator[Event], depth: int) -> dict[str, Data]:
    members: dict[str, Data] = {}
    while not isinstance(key := next(events), MappingEndEvent):
        if not isinstance(key, ScalarEvent) or _marked(key) or key.value in members:
            raise NotData
        members[str(key.value)] = _value(next(events), events, depth)
    return members


def _marked(event: Event) -> bool:
    """Return whether there is an alias, an anchor or a tag: they make a text mean more than it says."""
    if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
        return event.anchor is not None or event.tag is not None
    return isinstance(event, AliasEvent)


def _scalar(text: str) -> Data:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    found = _DECIMAL.match(text)
    if found is None:
        return str(text)
    sign, whole, fraction, bare_fraction, exponent = (group or "" for group in found.groups())
    fraction = fraction or bare_fraction
    digits = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return Number(("-" if sign == "-" else "") + digits + exponent)


def write_data(value: Data) -> str:
    """Write the data as JSON, each member on a line of its own, numbers as they were written."""
    return "".join(_pieces(value, "\n"))


def _pieces(value: Data, newline: str) -> Iterator[str]:
    inner = newline + "  "
    if isinstance(value, Number):
        yield value.text
    elif isinstance(value, dict) and value:
        for index, (key, member) in enumerate(value.items()):
            yield ("{" if index == 0 else ",") + inner + json.dumps(key, ensure_ascii=False) + ": "
            yield from _pieces(member, inner)
        yield newline + "}"
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield ("[" if index == 0 else ",") + inner
            yield from _pieces(element, inner)
        yield newline + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
