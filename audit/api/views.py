from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.models import AuditEvent
from accounts.permissions import May, may, require
from audit.days import first_of, slices, slices_upwards
from audit.figures import outcomes_and_latency, tops
from audit.kept import read
from audit.models import DecisionRecord
from audit.periods import Period, Unit
from common.api_fields import PublicIdField
from common.api_filters import Choice, Filter, Id, Moment, NetworkAddress, Text, asked
from common.api_lists import ApiList, both_ways, described
from common.api_shown import ShownRow
from common.api_views import ApiView
from common.path_ids import uuid_or_404


class DecisionSerializer(ShownRow):
    id = PublicIdField("dec", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    grant = PublicIdField("grt", source="grant_id", read_only=True)
    revision = PublicIdField("rev", source="policy_revision_id", read_only=True, allow_null=True)
    approval = PublicIdField("apr", source="approval_id", read_only=True, allow_null=True)
    remaining = serializers.FloatField(
        read_only=True, allow_null=True, help_text="What the limit that was used up had left."
    )
    added_ms = serializers.SerializerMethodField()
    kept_arguments = serializers.SerializerMethodField()

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
            "limit",
            "remaining",
            "revision",
            "approval",
            "upstream_status",
            "upstream_code",
            "added_ms",
            "argument_names",
            "kept_arguments",
            "worker",
        ]

    def get_added_ms(self, record: DecisionRecord) -> float:
        return record.added_us / 1000

    def get_kept_arguments(self, record: DecisionRecord) -> list[dict[str, str]] | None:
        """`path`, `state` (value, missing, too_long) and `json`; null if you may not read arguments."""
        if not may(self.context["member"], May.READ_ARGUMENTS):
            return None
        return [{"path": each.path, "state": each.state, "json": each.json} for each in read(record)]


class AuditEventSerializer(ShownRow):
    id = PublicIdField("evt", read_only=True)
    actor_member = PublicIdField("mem", source="actor_member_id", read_only=True, allow_null=True)
    actor_key = PublicIdField(
        "key",
        source="actor_key_id",
        read_only=True,
        allow_null=True,
        help_text="The API key it was done with; null for what was done in a browser or by the operator.",
    )
    address = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "actor_email",
            "actor_member",
            "actor_key",
            "address",
            "verb",
            "subject",
            "subject_name",
            "details",
        ]

    def get_address(self, event: AuditEvent) -> str | None:
        """The network address it was done from; null if none was recorded, or if you may not read it."""
        return event.address if may(self.context["member"], May.READ_ADDRESSES) else None


SINCE = Filter("since", Moment(), "At that moment or later.", lookup="at__gte")
UNTIL = Filter("until", Moment(), "Before that moment.", lookup="at__lt")


def _visible(request: Request) -> QuerySet[DecisionRecord]:
    return DecisionRecord.objects.visible_to(member_of(request))


class Decisions(ApiList[DecisionRecord]):
    """What the gateways decided about each call, newest first, in the order in which records arrived here."""

    serializer_class = DecisionSerializer
    filters = (
        Filter("server", Id("srv"), lookup="server_id"),
        Filter("grant", Id("grt"), lookup="grant_id"),
        Filter("tool", Text()),
        Filter("outcome", Choice(("allow", "deny", "approval"))),
        Filter("code", Text(40)),
        Filter("revision", Id("rev"), lookup="policy_revision_id"),
        SINCE,
        UNTIL,
    )
    orders = {"-at": ("-position",), "at": ("position",)}
    read_scope = "logs:read"
    queryset = DecisionRecord.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "member": member_of(self.request)}

    def get_queryset(self) -> QuerySet[DecisionRecord]:
        return _visible(self.request)

    def rows_of(
        self,
        found: QuerySet[DecisionRecord],
        fields: tuple[str, ...],
        behind: tuple[Any, ...] | None,
        most: int,
    ) -> list[DecisionRecord]:
        member, position = member_of(self.request), behind[0] if behind else None
        down = fields[0].startswith("-")
        parts = slices(member, before=position) if down else slices_upwards(member, after=position or 0)
        return first_of(found.order_by(*fields), parts, most)


class DecisionDetail(ApiView):
    read_scope = "logs:read"

    @extend_schema(responses=DecisionSerializer)
    def get(self, request: Request, decision_id: str) -> Response:
        record = get_object_or_404(_visible(request), pk=uuid_or_404("dec", decision_id))
        return Response(DecisionSerializer(record, context={"member": member_of(request)}).data)


PERIODS: Final = {
    "hour": (timedelta(hours=1), Unit.MINUTE, 60),
    "day": (timedelta(days=1), Unit.HOUR, 24),
    "month": (timedelta(days=30), Unit.DAY, 30),
}
STATS_PERIOD = Filter("period", Choice(tuple(PERIODS)), "Until now; a day by default.")


class BucketSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    counts = serializers.DictField(child=serializers.IntegerField())


class CountedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    count = serializers.IntegerField()


class LatencySerializer(serializers.Serializer[Any]):
    """Milliseconds that the gateway added to calls."""

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


class DecisionStats(ApiView):
    """Calls by outcome over time, the tools called and denied most, and the latency we added to calls."""

    read_scope = "logs:read"

    @extend_schema(parameters=described(STATS_PERIOD), responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        wanted = asked(request.query_params, (STATS_PERIOD,)).get("period", "day")
        length, unit, buckets = PERIODS[wanted]
        period, member = Period.until_now(length, unit), member_of(request)
        most = tops(member, period, with_grants=False)
        outcomes, latency = outcomes_and_latency(member, period, buckets)
        stats = {
            "since": period.since,
            "until": period.until,
            "outcomes": outcomes,
            "top_tools": most.called,
            "top_denials": most.held,
            "added_ms": latency,
        }
        return Response(StatsSerializer(stats).data)


class AuditEvents(ApiList[AuditEvent]):
    """What people and their API keys changed, newest first."""

    serializer_class = AuditEventSerializer
    filters = (
        Filter("verb", Text(60)),
        Filter("actor", Text(254), "The address of who did it.", lookup="actor_email__iexact"),
        Filter("key", Id("key"), "The API key it was done with.", lookup="actor_key_id"),
        Filter("subject", Text(60), "The id of what was changed."),
        Filter("address", NetworkAddress(), "The network address it was done from; for admins and owners."),
        SINCE,
        UNTIL,
    )
    orders = both_ways("at")
    read_scope = "logs:read"
    queryset = AuditEvent.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "member": member_of(self.request)}

    def get_queryset(self) -> QuerySet[AuditEvent]:
        member = member_of(self.request)
        if "address" in self.request.query_params:
            require(member, May.READ_ADDRESSES)
        return AuditEvent.objects.visible_to(member)
