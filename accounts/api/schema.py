"""Tells drf-spectacular what it cannot infer: how to authenticate, and the form of our ids and fields."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

from common.api_filters import id_schema


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "plk_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.MemberSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "policylayer_session"}


class PublicIdScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "common.api_fields.PublicIdField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return id_schema(self.target.prefix)


class TestsScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "policies.api.serializers.TestsField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "object"}, "description": "What each expects."}


class DocumentScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "policies.api.serializers.DocumentField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {
            "oneOf": [{"type": "object"}, {"type": "string"}],
            "description": "A policy, as JSON or as text.",
        }
