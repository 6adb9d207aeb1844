"""Calls by outcome over time, what is denied most, what we add to each call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.tenancy import Asker
from accounts.views.members import member_required
from audit.chart import STACK, draw, draw_latency
from audit.figures import (
    Counted,
    added_latency,
    calls_by_grant,
    latency_over_time,
    outcomes_over_time,
    top_denials,
    top_tools,
)
from audit.periods import Period, Unit
from policies.models import Grant, PolicyRevision
from servers.models import Server


@dataclass(frozen=True, slots=True)
class Span:
    """A choice of the page. Bars are whole `bar_unit`s; the page begins and ends with a whole `unit`."""

    label: str
    length: timedelta
    bars: int
    axis: str
    unit: Unit
    bar_unit: Unit


SPANS = {
    "1h": Span("1 h", timedelta(hours=1), 30, "H:i", Unit.MINUTE, Unit.MINUTE),
    "24h": Span("24 h", timedelta(hours=24), 48, "H:i", Unit.HOUR, Unit.MINUTE),
    "7d": Span("7 d", timedelta(days=7), 42, "j M", Unit.HOUR, Unit.HOUR),
    "30d": Span("30 d", timedelta(days=30), 30, "j M", Unit.DAY, Unit.DAY),
}
ROWS = 6
MOST_PUBLISHED = 20
MOST_GRANTS = 50


@dataclass(frozen=True, slots=True)
class Shared:
    name: str
    count: int
    most: int


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    member = request.member
    if not Server.objects.visible_to(member).exists() and request.GET.get("stay") is None:
        return redirect("onboarding")
    chosen = request.GET.get("span", "24h")
    span = SPANS.get(chosen, SPANS["24h"])
    period = Period.until_now(span.length, span.unit)
    buckets = outcomes_over_time(member, replace(period, unit=span.bar_unit), span.bars)
    context = {
        "spans": [
            {"label": one.label, "href": f"?span={key}", "current": one is span} for key, one in SPANS.items()
        ],
        "chart": draw(buckets, period.since, period.until, _published(member, period.since)),
        "axis": span.axis,
        "totals": {key: sum(bucket.counts[name] for bucket in buckets) for name, key, _ in STACK},
        "table": [bucket for bucket in buckets if bucket.total],
        "latency": added_latency(member, period),
        "lines": draw_latency(latency_over_time(member, replace(period, unit=span.bar_unit), span.bars)),
        "held": _shared(top_denials(member, period, ROWS)),
        "called": _shared(top_tools(member, period, ROWS)),
        "grants": _grants(member, period),
        "waiting": _waiting(member),
        "section": "overview",
    }
    return render(request, "audit/overview.html", context)


def _published(member: Asker, since: datetime) -> list[PolicyRevision]:
    newest = (
        PolicyRevision.objects.visible_to(member)
        .filter(published_at__gte=since)
        .select_related("policy")
        .only("number", "published_at", "policy__name")
        .order_by("-published_at")[:MOST_PUBLISHED]
    )
    return list(newest)[::-1]


def _grants(member: Asker, period: Period) -> list[tuple[Grant, int]]:
    """The busiest first."""
    grants = list(Grant.objects.visible_to(member).good().select_related("server")[:MOST_GRANTS])
    calls = calls_by_grant(member, [grant.pk for grant in grants], period)
    return sorted(((grant, calls.get(grant.pk, 0)) for grant in grants), key=lambda pair: -pair[1])[:ROWS]


def _waiting(member: Asker) -> list[dict[str, Any]]:
    """What somebody should look at, each with the place to do it."""
    failing = Server.objects.visible_to(member).filter(status=Server.Status.FAILING, retired_at=None)
    soon = timezone.now() + timedelta(days=7)
    good = Grant.objects.visible_to(member).good()
    return [
        *({"kind": "server", "server": server} for server in failing.order_by("name")[:3]),
        *(
            {"kind": "bare", "grant": grant}
            for grant in good.filter(policy__published_revision=None).order_by("label")[:3]
        ),
        *(
            {"kind": "expires", "grant": grant}
            for grant in good.filter(expires_at__lt=soon).order_by("expires_at")[:3]
        ),
    ]


def _shared(counted: list[Counted]) -> list[Shared]:
    most = max((one.count for one in counted), default=1)
    return [Shared(one.name, one.count, most) for one in counted]
