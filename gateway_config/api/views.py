from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from gateway_config.rollout import worker_rows


class Workers(APIView):
    """Every gateway worker: its version, the configuration it runs of this organization, when it was seen."""

    read_scope = "logs:read"

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        rows = [asdict(row) for row in worker_rows(member_of(request))]
        return Response({"results": rows, "next": None, "previous": None})
