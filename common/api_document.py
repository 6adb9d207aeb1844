"""The schema of the API, as OpenAPI 3.1. It follows from the code, so it is made once in each process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from common.api_views import ApiView


def api_document() -> dict[str, Any]:
    """Shared between callers, who must not change it."""
    return _made(settings.PUBLIC_URL)


@lru_cache(maxsize=1)
def _made(public_url: str) -> dict[str, Any]:
    """`public_url` is part of the problem types, so another URL makes another document."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


@lru_cache(maxsize=1)
def _written(public_url: str) -> bytes:
    return msgspec.json.encode(_made(public_url))


@extend_schema(exclude=True)
class ApiDocument(ApiView):
    """For everybody: nobody is asked who they are."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(_written(settings.PUBLIC_URL), content_type=request.accepted_media_type)
