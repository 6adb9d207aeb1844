"""JSON that people submit besides a policy: calls, tools, requests. Numbers stay as they were written."""

import json
from typing import Final, NamedTuple, NoReturn, TypeAlias

import jiter

from .json_reader import Number

_SHORT: Final = 300


class Repeated(NamedTuple):
    """An object in which a key appears twice: it can be written out again, but not judged."""

    members: list[tuple[str, "Loose"]]


Loose: TypeAlias = "dict[str, Loose] | list[Loose] | Repeated | str | Number | bool | None"


class RequestInvalid(Exception):  # noqa: N818 - the word of the house
    """The request is not understood; the message says what would be."""


def read_loose(text: str) -> Loose:
    try:
        read: Loose = json.loads(
            text,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_no_number,
            object_pairs_hook=_members,
        )
    except json.JSONDecodeError as error:
        raise RequestInvalid(
            f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(f"This is not JSON: {error}.") from None
    return read


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _members(pairs: list[tuple[str, Loose]]) -> "dict[str, Loose] | Repeated":
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(pairs)


def write_loose(value: Loose) -> str:
    """Write JSON on one line, with every repeated key."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(map(write_loose, value))}]"
    if isinstance(value, dict | Repeated):
        pairs = value.items() if isinstance(value, dict) else value.members
        return "{" + ", ".join(f"{json.dumps(key)}: {write_loose(inner)}" for key, inner in pairs) + "}"
    return json.dumps(value)


def call_value(value: Loose) -> object:
    """Return the value in the form that a call's arguments hold it."""
    match value:
        case Number(text):
            return int(text) if text.lstrip("-").isdecimal() and len(text) < _SHORT else _lossless(text)
        case Repeated():
            raise RequestInvalid("A key appears twice in the arguments.")
        case list():
            return [call_value(element) for element in value]
        case dict():
            return {key: call_value(inner) for key, inner in value.items()}
        case _:
            return value


def _lossless(text: str) -> jiter.LosslessFloat:
    return jiter.LosslessFloat(text.encode())


def plain_value(value: Loose) -> object:
    """Return ordinary Python data, for what is read but not judged: a tool's schema."""
    match value:
        case Number(text):
            return int(text) if text.lstrip("-").isdecimal() and len(text) < _SHORT else float(text)
        case Repeated(members):
            return {key: plain_value(inner) for key, inner in members}
        case list():
            return [plain_value(element) for element in value]
        case dict():
            return {key: plain_value(inner) for key, inner in value.items()}
        case _:
            return value
