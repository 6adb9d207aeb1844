"""Notes on what a conversion changed or did not keep, each with its place in the source."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from ..exact import whole_text
from ..json_reader import Number
from ..problems import escape_token
from .source import Data

Place: TypeAlias = tuple[str | int, ...]

NOT_CONVERTED: Final = "This rule could not be converted and is denied until someone looks at it."

_MESSAGES: Final = {
    "version_assumed": 'The version was missing; it is "1" now.',
    "default_assumed": "The default was missing; it is now what was assumed there.",
    "session_scope": 'The scope "session" is "grant" now: one agent session holds one grant.',
    "validate_without_schema": "The tool's schema is not known, so its required arguments are not.",
    "validate_unknown": "This way of validating cannot be expressed here.",
    "unknown_key": "This key means nothing here.",
    "pattern_now": "A * stands for any run of characters here; it was a plain character there.",
    "conditions_widened": "The conditions are dropped, so the action applies to every call of the tool.",
    "unknown_action": "This action does not exist here.",
    "rule_name": "Rules have no names here.",
    "approval_timeout": "How long an approval may take is set for the whole organization.",
    "condition": "This condition cannot be expressed here.",
    "rate_limit": "This rate limit cannot be expressed here; one that can is like 30/minute.",
    "state_reference": "This reads a counter in a way that cannot be expressed here.",
    "state_without_limit": "This counter limited nothing.",
    "spend_limit": "A spend limit cannot be carried over; a limit with increment_from can replace it.",
    "bad_rule": "This is not a rule of the dialect.",
}


@dataclass(frozen=True, slots=True)
class Note:
    pointer: str
    code: str
    message: str


class Notes:
    def __init__(self) -> None:
        self.changed: list[tuple[Place, str]] = []
        self.not_kept: list[tuple[Place, str]] = []


def in_order(notes: list[tuple[Place, str]], source: Data) -> tuple[Note, ...]:
    """Order the notes by place in the source, parents first, then by code."""
    ordinals: dict[int, dict[str, int]] = {}

    def position(place: Place) -> tuple[int, ...]:
        found, at = [], source
        for token in place:
            if isinstance(at, dict) and isinstance(token, str):
                keys = ordinals.setdefault(id(at), {key: index for index, key in enumerate(at)})
                found.append(keys[token])
                at = at[token]
            elif isinstance(at, list) and isinstance(token, int):
                found.append(token)
                at = at[token]
        return tuple(found)

    ordered = sorted((position(place), code, place) for place, code in notes)
    return tuple(Note(_pointer(place), code, _MESSAGES[code]) for _, code, place in ordered)


def _pointer(place: Place) -> str:
    return "".join(f"/{escape_token(token) if isinstance(token, str) else token}" for token in place)


def assume(source: dict[str, Data], default: str, notes: Notes) -> tuple[Data, Data]:
    """Return the version and the default; a missing one is assumed, and noted."""
    version = source.get("version", "1")
    if "version" not in source:
        notes.changed.append(((), "version_assumed"))
    if "default" not in source:
        notes.changed.append(((), "default_assumed"))
    if isinstance(version, Number) and _is_one(version):
        version = "1"
    return version, source.get("default", default)


def _is_one(number: Number) -> bool:
    return whole_text(number.text) == 1
