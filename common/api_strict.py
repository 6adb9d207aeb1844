"""JSON has types, and the schema names them: a value that would be silently converted is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from rest_framework.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DateTimeField,
    DictField,
    Field,
    IntegerField,
    ListField,
)
from rest_framework.serializers import ListSerializer, Serializer

_UNKNOWN: Final = "There is no such field here."
MOMENT: Final = "Write date, time and zone: 2026-01-31T08:00:00Z."


def misfits(field: Field[Any, Any, Any, Any], sent: object) -> dict[str, Any]:
    """Unknown fields and values of another type, by name, in the framework's own shape of errors."""
    if not isinstance(field, Serializer) or not isinstance(sent, Mapping):
        return {}
    found: dict[str, Any] = {}
    for name, value in sent.items():
        one = field.fields.get(name)
        if one is None or one.read_only:
            found[name] = [_UNKNOWN]
        elif said := _said_of(one, value):
            found[name] = said
    return found


def _said_of(field: Field[Any, Any, Any, Any] | None, value: object) -> Any:
    """Sentences, or errors of what is inside; nothing if it fits, or if the field itself refuses it."""
    if value is None:
        return None
    match field:
        case Serializer():
            return misfits(field, value)
        case ListSerializer() | ListField():
            items = enumerate(value) if isinstance(value, list) else ()
            return {str(at): said for at, one in items if (said := _said_of(field.child, one))}
        case DictField():
            entries = value.items() if isinstance(value, Mapping) else ()
            return {name: said for name, one in entries if (said := _said_of(field.child, one))}
        case DateTimeField():
            return None if isinstance(value, str) and _is_moment(value) else [MOMENT]
        case _:
            kind = _kind_of(field)
            # In Python a bool is an int; in JSON it is not.
            fits = kind is None or (isinstance(value, kind) and isinstance(value, bool) is (kind is bool))
            return None if fits else [f"Write {_WORDS[kind]}."]


def _is_moment(text: str) -> bool:
    """Whether the text names a zone too: without one, it would be another moment for every reader."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return False
    return moment is not None and moment.tzinfo is not None


_WORDS: Final[dict[type | None, str]] = {str: "text", bool: "true or false", int: "a whole number"}


def _kind_of(field: Field[Any, Any, Any, Any] | None) -> type | None:
    match field:
        case CharField() | ChoiceField():
            return str
        case BooleanField():
            return bool
        case IntegerField():
            return int
        case _:
            return None
