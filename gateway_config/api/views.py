from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from gateway_config.rollout import worker_rows


class Workers(APIView):
    """Every gateway worker: its version, which config revision of this organization it runs, when it was seen."""

    read_scope = "logs:read"

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"results": worker_rows(member_of(request)), "next": None, "previous": None})
