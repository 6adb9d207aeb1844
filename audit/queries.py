"""The reading side of the decision log: pages, figures, what became of the first call.

Records name servers, grants and revisions by id alone; their names are looked up with one query each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Aggregate, Count, DateTimeField, F, FloatField, Func, Max, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from accounts.tenancy import Asker
from audit.models import DecisionRecord
from common.ids import public_id
from policies.models import Grant, PolicyRevision
from servers.models import Server

MOST = 500
# What the log calls the outcomes: those of the gateway, and two kinds of denial worth telling apart.
OUTCOMES = ("allow", "limit", "approval", "deny", "hidden")
_OF_LIMITS = ("limit_exceeded", "limiter_unavailable")
_OF_APPROVALS = ("approval_required", "approval_declined", "approval_expired")


@dataclass(frozen=True, slots=True)
class Filters:
    """None, or empty, does not filter. `outcome` is one of OUTCOMES; `tool` and `rule` match in part."""

    server: UUID | None = None
    grant: UUID | None = None
    tool: str = ""
    outcome: str = ""
    code: str = ""
    rule: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as screens show it. `news` is where the live tail goes on after this row."""

    record: DecisionRecord
    server_name: str
    grant_label: str
    policy_name: str
    policy_id: UUID | None
    policy_revision_number: int | None

    @property
    def id(self) -> str:
        return self.record.public_id

    @property
    def position(self) -> int:
        return self.record.position

    @property
    def news(self) -> int:
        return max(self.record.position, self.record.completed_position or 0)

    @property
    def server_id(self) -> str:
        return public_id("srv", self.record.server_id)

    @property
    def grant_id(self) -> str:
        return public_id("grt", self.record.grant_id)

    @property
    def added_ms(self) -> float:
        return self.record.added_us / 1000

    @property
    def took_ms(self) -> float | None:
        """From arrival to the end of the answer, or to our no; None while the call is under way."""
        if self.record.total_us is not None:
            return self.record.total_us / 1000
        return None if self.record.outcome == "allow" else self.added_ms


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls by outcome in one stretch of time; `counts` holds every one of OUTCOMES."""

    at: datetime
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Counted:
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds we added, and how many calls that is of."""

    p50: float
    p99: float
    calls: int


def decisions(
    member: Asker,
    filters: Filters = Filters(),
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[DecisionRow]:
    """Newest first, older than `before` or newer than `after`: the nearest to that position."""
    found = matching(member, filters)
    if before is not None:
        found = found.filter(position__lt=before)
    if after is not None:
        found = found.filter(position__gt=after)
    upwards = after is not None and before is None
    records = list(found.order_by("position" if upwards else "-position")[: min(limit, MOST)])
    return with_names(member, records[::-1] if upwards else records)


def decision(member: Asker, decision_id: UUID) -> DecisionRow | None:
    record = DecisionRecord.objects.visible_to(member).filter(pk=decision_id).first()
    return with_names(member, [record])[0] if record else None


def news_after(member: Asker, filters: Filters, position: int, limit: int = 200) -> list[DecisionRow]:
    """What arrived after this position, and whose end did, in the order of arrival."""
    fresh = Q(position__gt=position) | Q(completed_position__gt=position)
    news = Greatest("position", Coalesce("completed_position", 0))
    found = matching(member, filters).filter(fresh).order_by(news)
    return with_names(member, found[:limit])


def newest_position(member: Asker) -> int:
    """Where a live tail begins."""
    newest = DecisionRecord.objects.visible_to(member).aggregate(
        position=Max("position"), completed=Max("completed_position")
    )
    return max(newest["position"] or 0, newest["completed"] or 0)


def first_call(member: Asker) -> DecisionRow | None:
    """The first call that was ever seen; cheap enough to ask every second."""
    record = DecisionRecord.objects.visible_to(member).order_by("position").first()
    return with_names(member, [record])[0] if record else None


def matching(member: Asker, filters: Filters) -> QuerySet[DecisionRecord]:
    exact = {"server_id": filters.server, "grant_id": filters.grant, "code": filters.code}
    parts = {"tool__icontains": filters.tool, "rule__icontains": filters.rule}
    times = {"at__gte": filters.since, "at__lt": filters.until}
    wanted = {
        name: value.replace("\x00", "") if isinstance(value, str) else value
        for name, value in {**exact, **parts, **times}.items()
        if value
    }
    found = DecisionRecord.objects.visible_to(member).filter(**wanted)
    return found.filter(_of_outcome(filters.outcome)) if filters.outcome else found


def _of_outcome(outcome: str) -> Q:
    match outcome:
        case "allow":
            return Q(outcome="allow")
        case "limit":
            return Q(outcome="deny", code__in=_OF_LIMITS)
        case "approval":
            return Q(outcome="approval") | Q(outcome="deny", code__in=_OF_APPROVALS)
        case "hidden":
            return Q(outcome="deny", code="hidden")
        case "deny":
            told_apart = Q(code__in=(*_OF_LIMITS, *_OF_APPROVALS, "hidden"))
            return Q(outcome="deny") & (Q(code=None) | ~told_apart)
        case _:
            return Q(pk=None)


# ---- figures
def outcomes_over_time(
    member: Asker, since: datetime, until: datetime, buckets: int = 60, filters: Filters = Filters()
) -> tuple[Bucket, ...]:
    """Equal stretches from `since` to `until`, also those in which nothing happened."""
    step = max((until - since) / buckets, timedelta(seconds=1))
    starts = [since + step * number for number in range(buckets) if since + step * number < until]
    binned = Func(Value(step), F("at"), Value(since), function="date_bin", output_field=DateTimeField())
    inside = matching(member, filters).filter(at__gte=since, at__lt=until)
    rows = inside.annotate(bucket=binned).values_list("bucket", "outcome", "code").annotate(count=Count("pk"))
    counts = {start: dict.fromkeys(OUTCOMES, 0) for start in starts}
    for start, outcome, code, count in rows.order_by():
        if start in counts:
            counts[start][shown_outcome(outcome, code)] += count
    return tuple(Bucket(start, counts[start]) for start in starts)


def top_tools(member: Asker, since: datetime, limit: int = 10) -> list[Counted]:
    return _top(DecisionRecord.objects.visible_to(member).filter(at__gte=since).exclude(tool=""), limit)


def top_denials(member: Asker, since: datetime, limit: int = 10) -> list[Counted]:
    """Tools whose calls did not pass, whatever held them."""
    held = DecisionRecord.objects.visible_to(member).filter(at__gte=since).exclude(outcome="allow")
    return _top(held.exclude(tool=""), limit)


def added_latency(member: Asker, since: datetime) -> Latency | None:
    """None when no call was seen."""
    seen = DecisionRecord.objects.visible_to(member).filter(at__gte=since)
    found = seen.aggregate(p50=_Percentile(0.5), p99=_Percentile(0.99), calls=Count("pk"))
    return Latency(found["p50"] / 1000, found["p99"] / 1000, found["calls"]) if found["calls"] else None


def calls_by_grant(member: Asker, grants: Iterable[UUID], since: datetime | None = None) -> dict[UUID, int]:
    """Calls since then (default: midnight UTC), for the grants that had any."""
    start = since or timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    seen = DecisionRecord.objects.visible_to(member).filter(grant_id__in=list(grants), at__gte=start)
    return dict(seen.order_by().values_list("grant_id").annotate(count=Count("pk")))


def shown_outcome(outcome: str, code: str | None) -> str:
    """One of OUTCOMES."""
    if outcome != "deny":
        return outcome
    if code in _OF_LIMITS:
        return "limit"
    if code in _OF_APPROVALS:
        return "approval"
    return "hidden" if code == "hidden" else "deny"


class _Percentile(Aggregate):
    template = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, fraction: float) -> None:
        super().__init__(F("added_us"), fraction=fraction, output_field=FloatField())


def _top(found: QuerySet[DecisionRecord], limit: int) -> list[Counted]:
    rows = found.order_by().values_list("tool").annotate(count=Count("pk")).order_by("-count", "tool")
    return [Counted(tool, count) for tool, count in rows[:limit]]


# ---- names
def with_names(member: Asker, records: Iterable[DecisionRecord]) -> list[DecisionRow]:
    """Three queries, however many records."""
    read = list(records)
    servers = _names(Server.objects.visible_to(member), "name", {record.server_id for record in read})
    grants = _names(Grant.objects.visible_to(member), "label", {record.grant_id for record in read})
    revisions = _revisions(member, {r.policy_revision_id for r in read if r.policy_revision_id})
    return [_row(record, servers, grants, revisions) for record in read]


def _row(
    record: DecisionRecord,
    servers: dict[UUID, str],
    grants: dict[UUID, str],
    revisions: dict[UUID | None, PolicyRevision],
) -> DecisionRow:
    revision = revisions.get(record.policy_revision_id)
    return DecisionRow(
        record=record,
        server_name=servers.get(record.server_id, ""),
        grant_label=grants.get(record.grant_id, ""),
        policy_name=revision.policy.name if revision else "",
        policy_id=revision.policy_id if revision else None,
        policy_revision_number=revision.number if revision else None,
    )


def _names(rows: QuerySet[Any], field_name: str, ids: set[UUID]) -> dict[UUID, str]:
    return dict(rows.filter(pk__in=ids).values_list("pk", field_name)) if ids else {}


def _revisions(member: Asker, ids: set[UUID]) -> dict[UUID | None, PolicyRevision]:
    if not ids:
        return {}
    found = PolicyRevision.objects.visible_to(member).filter(pk__in=ids).select_related("policy")
    return {revision.pk: revision for revision in found.only("number", "policy__name")}
