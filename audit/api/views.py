from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from accounts.models import AuditEvent
from audit.models import DecisionRecord
from common.api_fields import PublicIdField, uuid_or_404
from common.drf import NewestFirst

FILTERS = [
    OpenApiParameter("server", str),
    OpenApiParameter("grant", str),
    OpenApiParameter("tool", str),
    OpenApiParameter("outcome", str, enum=["allow", "deny", "approval"]),
]


class DecisionSerializer(serializers.ModelSerializer[DecisionRecord]):
    id = PublicIdField("dec", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    grant = PublicIdField("grt", source="grant_id", read_only=True)
    revision = PublicIdField("rev", source="policy_revision_id", read_only=True, allow_null=True)
    approval = PublicIdField("apr", source="approval_id", read_only=True, allow_null=True)
    added_ms = serializers.SerializerMethodField()

    class Meta:
        model = DecisionRecord
        fields = [
            "id",
            "at",
            "server",
            "grant",
            "method",
            "tool",
            "outcome",
            "code",
            "rule",
            "reason",
            "retry_after_seconds",
            "revision",
            "approval",
            "upstream_status",
            "upstream_code",
            "added_ms",
            "argument_names",
            "worker",
        ]

    def get_added_ms(self, record: DecisionRecord) -> float:
        return record.added_us / 1000


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    id = PublicIdField("evt", read_only=True)

    class Meta:
        model = AuditEvent
        fields = ["id", "at", "actor_email", "verb", "subject", "subject_name", "details"]


class DecisionPage(NewestFirst):
    ordering = "-position"


class EventPage(NewestFirst):
    ordering = ("-at", "-id")


def _visible(request: Request) -> QuerySet[DecisionRecord]:
    return DecisionRecord.objects.visible_to(member_of(request))


@extend_schema(parameters=FILTERS)
class Decisions(generics.ListAPIView[DecisionRecord]):
    """Newest first: what the gateway decided about each call."""

    serializer_class = DecisionSerializer
    pagination_class = DecisionPage
    read_scope = "logs:read"
    queryset = DecisionRecord.objects.none()

    def get_queryset(self) -> QuerySet[DecisionRecord]:
        wanted = self.request.query_params
        found = _visible(self.request)
        if server := wanted.get("server"):
            found = found.filter(server_id=uuid_or_404("srv", server))
        if grant := wanted.get("grant"):
            found = found.filter(grant_id=uuid_or_404("grt", grant))
        for name in ("tool", "outcome"):
            if value := wanted.get(name):
                found = found.filter(**{name: value.replace("\x00", "")})
        return found


class DecisionDetail(APIView):
    read_scope = "logs:read"

    @extend_schema(responses=DecisionSerializer)
    def get(self, request: Request, decision_id: str) -> Response:
        record = get_object_or_404(_visible(request), pk=uuid_or_404("dec", decision_id))
        return Response(DecisionSerializer(record).data)


class AuditEvents(generics.ListAPIView[AuditEvent]):
    """Newest first: what people and their keys changed."""

    serializer_class = AuditEventSerializer
    pagination_class = EventPage
    read_scope = "logs:read"
    queryset = AuditEvent.objects.none()

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.visible_to(member_of(self.request))
