"""Turns a condition's value into a form control and back. A value nobody touched comes back as it was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from policies.builder.arguments import OPERATOR_WORDS, Argument, is_typable
from policies.language.block_types import JsonData
from policies.language.json_reader import Members, Node, Number, TextError, read_json
from policies.language.text_edit import CannotEdit

Control: TypeAlias = Literal["text", "number", "yesno", "choice", "tokens", "numbers", "json"]

_LISTS: Final = frozenset({"in", "not_in", "host_in"})
_NUMBERS: Final = frozenset({"lt", "lte", "gt", "gte", "length_lte", "length_gte"})
_TEXTS: Final = frozenset({"starts_with", "ends_with", "regex", "matches", "under_path"})
_LENGTHS: Final = frozenset({"length_lte", "length_gte"})
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_LONGEST_NUMBER: Final = 100
_MOST_TOKENS: Final = 60
_SINGLE: Final = (("text", "text"), ("number", "number"), ("yesno", "yes/no"))
_SEVERAL: Final = (("tokens", "texts"), ("numbers", "numbers"))
# What they compare with may be of any type.
_OF_ANY_TYPE: Final = frozenset({"eq", "neq", "in", "not_in", "contains", "not_contains"})
# To them, an empty text says that nothing was written yet. Elsewhere it is a value like any other.
_NEVER_EMPTY: Final = _NUMBERS | {"host_in"}
_DEEPEST: Final = 60


@dataclass(frozen=True, slots=True)
class ValueField:
    """`text` is for every control but `tokens` and `numbers`, which use `tokens`."""

    control: Control
    text: str = ""
    tokens: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""


def field_of(value: JsonData, argument: Argument) -> ValueField:
    match value:
        case bool():
            return ValueField("yesno", "true" if value else "false")
        case Number(text):
            return ValueField("number", text, minimum=argument.minimum, maximum=argument.maximum)
        case str() if value in argument.choices:
            return ValueField("choice", value, choices=argument.choices)
        case str() if is_typable(value):
            return ValueField("text", value, choices=argument.choices)
        case list() if len(value) <= _MOST_TOKENS:
            return _tokens(value, argument)
        case _:
            return ValueField("json", as_json(value))


def _tokens(values: list[JsonData], argument: Argument) -> ValueField:
    texts = tuple(value for value in values if isinstance(value, str) and is_typable(value))
    numbers = tuple(value.text for value in values if isinstance(value, Number))
    if values and len(numbers) == len(values):
        return ValueField("numbers", tokens=numbers)
    if len(texts) != len(values):
        return ValueField("json", as_json(values))
    if not values and argument.kind == "number":
        return ValueField("numbers")
    return ValueField("tokens", tokens=texts, choices=argument.choices)


def kinds_for(field: ValueField, op: str, argument: Argument) -> tuple[tuple[str, str], ...]:
    """Returns the controls to choose from where the schema leaves open which type the value has."""
    compared = argument.element if argument.kind == "list" else argument.kind
    if compared != "any" or op not in _OF_ANY_TYPE:
        return ()
    offered = _SEVERAL if field.tokens else _SINGLE
    return offered if field.control in dict(offered) else ()


def turned(value: JsonData, control: str) -> JsonData:
    """Returns a single value as the kind that a person chose for it. Raises CannotEdit if it is not one."""
    text = value if isinstance(value, str) else as_json(value)
    match control:
        case "number":
            return read_number(text or "0")
        case "yesno":
            return _read_yesno(text or "true")
        case _:
            return text


def _read_yesno(text: str) -> bool:
    if text not in ("true", "false"):
        raise CannotEdit("A yes or no is written as true or false.")
    return text == "true"


def read_field(control: str, text: str, tokens: list[str]) -> JsonData:
    """Reads the value back from its control. Raises CannotEdit, which says what is wrong with the text."""
    match control:
        case "yesno":
            return text == "true"
        case "number":
            return read_number(text)
        case "tokens":
            return [*tokens]
        case "numbers":
            return [read_number(token) for token in tokens]
        case "json":
            return _read_json(text)
        case _:
            return text


def read_number(text: str) -> Number:
    text = text.strip()
    if not _NUMBER.match(text) or len(text) > _LONGEST_NUMBER:
        raise CannotEdit("A number is written like 100, 0.5 or -3.")
    return Number(text)


def _read_json(text: str) -> JsonData:
    try:
        return _data(read_json(text, _DEEPEST))
    except TextError as stop:
        raise CannotEdit(f"This value is not JSON. {stop.message}") from None


def _data(node: Node) -> JsonData:
    value = node.value
    if isinstance(value, Members):
        if len({member.key for member in value.all}) != len(value.all):
            raise CannotEdit("A key appears twice in this value. Keep one of them.")
        return {member.key: _data(member.node) for member in value.all}
    return [_data(each) for each in value] if isinstance(value, list) else value


def as_json(value: JsonData) -> str:
    """Writes one line of plain ASCII, with every number as it was spelt."""
    match value:
        case Number(text):
            return text
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {as_json(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_json, value)) + "]"
        case _:
            return json.dumps(value)


def fitting(value: JsonData, op: str, argument: Argument) -> JsonData:
    """Returns the value if the operator takes it, or else the nearest one that it takes.

    An empty list is for a condition that has no value yet.
    """
    if op == "exists":
        return value if isinstance(value, bool) else True
    if op in _LISTS:
        if isinstance(value, list):
            return value
        return [] if op == "host_in" and (value == "" or not isinstance(value, str)) else [value]
    single = (value[0] if value else "") if isinstance(value, list) else value
    if op in _NUMBERS:
        return _number_from(single, argument)
    if op in _TEXTS:
        return _text_for(op, single if isinstance(single, str) else "")
    return _plain_from(single, argument)


def refitted(value: JsonData, before: str, op: str, argument: Argument) -> JsonData:
    """Returns the value of a condition whose operator has changed. Raises CannotEdit rather than lose it."""
    if _what_is_asked(before) != _what_is_asked(op):
        # That an argument is there, or how long it is, says nothing about its value.
        return fitting([], op, argument)
    # A new condition on a text is `eq ""`: whoever then chooses a list has written nothing yet.
    if value == "" and (op in _NEVER_EMPTY or (before, op) == ("eq", "in")):
        return fitting([], op, argument)
    values = value if before in _LISTS and isinstance(value, list) else [value]
    if op in _LISTS:
        return [_as_text(each, op) for each in values] if op == "host_in" else values
    if len(values) > 1:
        raise CannotEdit(f"{_named(op)} compares with one value, and here are {len(values)}. Keep one first.")
    return _kept(values[0], op) if values else fitting([], op, argument)


def _what_is_asked(op: str) -> str:
    return "presence" if op == "exists" else "length" if op in _LENGTHS else "value"


def _kept(value: JsonData, op: str) -> JsonData:
    if op in _TEXTS:
        return _text_for(op, _as_text(value, op))
    if op not in _NUMBERS or isinstance(value, Number):
        return value
    if isinstance(value, str) and _NUMBER.match(value) and len(value) <= _LONGEST_NUMBER:
        return Number(value)
    raise CannotEdit(f"{_named(op)} compares with a number. Write one as the value first.")


def _as_text(value: JsonData, op: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | Number):
        return as_json(value)
    raise CannotEdit(f"{_named(op)} compares with a text. Write one as the value first.")


def _named(op: str) -> str:
    words = {str(known): words for known, words in OPERATOR_WORDS.items()}
    return f"“{words.get(op, op)}”"


def _text_for(op: str, text: str) -> str:
    return "/" + text if op == "under_path" and not text.startswith("/") else text


def _number_from(value: JsonData, argument: Argument) -> Number:
    if isinstance(value, Number):
        return value
    if isinstance(value, str) and _NUMBER.match(value) and len(value) < _LONGEST_NUMBER:
        return Number(value)
    return Number(argument.minimum or "0")


def _plain_from(value: JsonData, argument: Argument) -> JsonData:
    # What a list contains is compared with its elements.
    match argument.element if argument.kind == "list" else argument.kind:
        case "number":
            return _number_from(value, argument)
        case "yesno":
            return value if isinstance(value, bool) else True
        case "text":
            if isinstance(value, str) and (value or not argument.choices):
                return value
            return argument.choices[0] if argument.choices else ""
        case _:
            return value
