"""Serializer fields that speak the product's public ids."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from common.ids import parse_public_id, public_id

SHOWN_ONCE = "Shown once: null in the answer to the same request sent again."


class PublicIdField(serializers.Field[UUID, str, str, Any]):
    """`srv_...` outside, a UUID inside."""

    default_error_messages = {"invalid": "This is not an id of the kind {prefix}_…"}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def to_representation(self, value: UUID) -> str:
        return public_id(self.prefix, value)

    def to_internal_value(self, data: object) -> UUID:
        try:
            return parse_public_id(self.prefix, data if isinstance(data, str) else "")
        except ValueError:
            self.fail("invalid", prefix=self.prefix)


class WrittenJsonField(serializers.JSONField):
    """JSON that is read as text and shown as it is: even for a thousand rows, nothing is parsed."""
