"""Serializes rows quickly: what a serializer declares is worked out once, not for every row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from django.utils.functional import Promise
from rest_framework import fields
from rest_framework.renderers import BaseRenderer
from rest_framework.serializers import ModelSerializer

from common.api_fields import PublicIdField, WrittenJsonField
from common.ids import public_id

Shown: TypeAlias = Callable[[Any], Any]
Taken: TypeAlias = Callable[["ShownRow", Any], Any]


class ShownRow(ModelSerializer[Any]):
    # Shows rows and takes no input. Nested fields know nothing of the context.
    # No docstring: the schema would give it to every row that has none of its own.

    def get_extra_kwargs(self) -> dict[str, Any]:
        # What is shown is always there, even if the model has a default for it.
        return {name: {"required": True} for name in self.Meta.fields if name not in self._declared_fields}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: taken(self, instance) for name, taken in _plan(type(self))}


@cache
def _plan(kind: type[ShownRow]) -> tuple[tuple[str, Taken], ...]:
    declared = kind().fields.items()
    return tuple((name, _taken(field)) for name, field in declared if not field.write_only)


def _taken(field: fields.Field[Any, Any, Any, Any]) -> Taken:
    if isinstance(field, fields.SerializerMethodField):
        method = field.method_name
        assert method is not None
        return lambda serializer, row: getattr(serializer, method)(row)
    read, shown = attrgetter(".".join(field.source_attrs)), _shown(field)
    if shown is None:
        return lambda _, row: read(row)
    return partial(_unless_none, read, shown)


def _unless_none(read: Shown, shown: Shown, _: ShownRow, row: Any) -> Any:
    value = read(row)
    return None if value is None else shown(value)


def _shown(field: fields.Field[Any, Any, Any, Any]) -> Shown | None:
    """None: the value is shown as it is."""
    match field:
        case PublicIdField():
            return partial(public_id, field.prefix)
        case fields.DateTimeField():
            return moment
        case WrittenJsonField():
            return msgspec.Raw
        case fields.CharField() | fields.ChoiceField():
            return str
        case fields.IntegerField() | fields.BooleanField() | fields.JSONField():
            return None
        case fields.ListField() if isinstance(field.child, fields.CharField):
            return None
        case _:
            return field.to_representation


def moment(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else written(data)


def written(data: Any) -> bytes:
    return msgspec.json.encode(data, enc_hook=_plain)


def _plain(value: object) -> str:
    # Lazy text, or text marked as safe for pages.
    if isinstance(value, str | Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
