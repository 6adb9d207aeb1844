"""Calls by outcome over time, what is denied most, what we add to each call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from audit.queries import (
    Bucket,
    Counted,
    added_latency,
    calls_by_grant,
    outcomes_over_time,
    top_denials,
    top_tools,
)
from policies.models import Grant
from servers.models import Server

SPANS = {
    "1h": ("1 h", timedelta(hours=1)),
    "24h": ("24 h", timedelta(days=1)),
    "7d": ("7 d", timedelta(days=7)),
}
BUCKETS = 48
HEIGHT = 100
# Bottom to top; the same order as the words in the panel's head.
STACK = (("allow", "allow"), ("limit", "limit"), ("approval", "ask"), ("deny", "deny"), ("hidden", "hide"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle of the chart, in units of a 0-100 high, one wide bucket."""

    key: str
    x: int
    y: float
    height: float


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
    chosen = chosen if chosen in SPANS else "24h"
    now = timezone.now()
    since = now - SPANS[chosen][1]
    buckets = outcomes_over_time(member, since, now, BUCKETS)
    grants = list(Grant.objects.visible_to(member).good().select_related("server")[:50])
    calls = calls_by_grant(member, [grant.pk for grant in grants], since)
    context = {
        "spans": [
            {"label": label, "href": f"?span={key}", "current": key == chosen}
            for key, (label, _) in SPANS.items()
        ],
        "bars": _bars(buckets),
        "most": max((bucket.total for bucket in buckets), default=0),
        "ticks": _ticks(since, now),
        "totals": {key: sum(bucket.counts[name] for bucket in buckets) for name, key in STACK},
        "table": [bucket for bucket in buckets if bucket.total],
        "latency": added_latency(member, since),
        "denied": _shared(top_denials(member, since, 6)),
        "called": _shared(top_tools(member, since, 6)),
        "grants": sorted(((grant, calls.get(grant.pk, 0)) for grant in grants), key=lambda pair: -pair[1])[
            :8
        ],
        "buckets": BUCKETS,
        "section": "overview",
    }
    return render(request, "audit/overview.html", context)


def _bars(buckets: tuple[Bucket, ...]) -> list[Bar]:
    most = max((bucket.total for bucket in buckets), default=0)
    bars = []
    for x, bucket in enumerate(buckets):
        top = float(HEIGHT)
        for name, key in STACK:
            if count := bucket.counts[name]:
                height = HEIGHT * count / most
                top -= height
                bars.append(Bar(key, x, round(top, 2), round(height, 2)))
    return bars


def _ticks(since: datetime, until: datetime) -> list[datetime]:
    return [since + (until - since) * part / 4 for part in range(5)]


def _shared(counted: list[Counted]) -> list[Shared]:
    most = max((one.count for one in counted), default=1)
    return [Shared(one.name, one.count, most) for one in counted]
