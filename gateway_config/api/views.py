from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from common.api_filters import asked
from common.api_views import ApiView
from gateway_config.api.serializers import WorkersSerializer
from gateway_config.rollout import dead_letter_of, worker_rows


class Workers(ApiView):
    """Every gateway worker: its version, which configuration of yours it runs, when it was last seen.

    `given_up`: since when changes could not reach the gateways, and why; they are no longer tried.
    """

    read_scope = "logs:read"

    @extend_schema(responses=WorkersSerializer)
    def get(self, request: Request) -> Response:
        member = member_of(request)
        asked(request.query_params, ())
        seen = {
            "results": worker_rows(member),
            "next": None,
            "previous": None,
            "given_up": dead_letter_of(member),
        }
        return Response(WorkersSerializer(seen).data)
