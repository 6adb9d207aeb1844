from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from accounts.models import AuditEvent
from audit.figures import added_latency, outcomes_over_time, top_denials, top_tools
from audit.models import DecisionRecord
from audit.periods import Period, Unit
from common.api_fields import PublicIdField, uuid_or_404
from common.drf import NewestFirst
from common.errors import InvalidInput

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


PERIODS: Final = {
    "hour": (timedelta(hours=1), Unit.MINUTE, 60),
    "day": (timedelta(days=1), Unit.HOUR, 24),
    "month": (timedelta(days=30), Unit.DAY, 30),
}
STATS_PERIOD = OpenApiParameter("period", str, enum=list(PERIODS), description="Until now; a day if unsaid.")


class BucketSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    counts = serializers.DictField(child=serializers.IntegerField())


class CountedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    count = serializers.IntegerField()


class LatencySerializer(serializers.Serializer[Any]):
    """Milliseconds the gateway added."""

    p50 = serializers.FloatField()
    p99 = serializers.FloatField()
    calls = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    outcomes = BucketSerializer(many=True)
    top_tools = CountedSerializer(many=True)
    top_denials = CountedSerializer(many=True)
    added_ms = LatencySerializer(allow_null=True)


class DecisionStats(APIView):
    """Calls by outcome over time, the tools that were called and denied most, and what we added to each."""

    read_scope = "logs:read"

    @extend_schema(parameters=[STATS_PERIOD], responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("period", "day")
        if wanted not in PERIODS:
            raise InvalidInput({"period": f"Choose one of {', '.join(PERIODS)}."})
        length, unit, buckets = PERIODS[wanted]
        period, member = Period.until_now(length, unit), member_of(request)
        stats = {
            "since": period.since,
            "until": period.until,
            "outcomes": outcomes_over_time(member, period, buckets),
            "top_tools": top_tools(member, period),
            "top_denials": top_denials(member, period),
            "added_ms": added_latency(member, period),
        }
        return Response(StatsSerializer(stats).data)


class AuditEvents(generics.ListAPIView[AuditEvent]):
    """Newest first: what people and their keys changed."""

    serializer_class = AuditEventSerializer
    pagination_class = EventPage
    read_scope = "logs:read"
    queryset = AuditEvent.objects.none()

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.visible_to(member_of(self.request))
