"""Calls over time as a page shows them: the picture, its table, and the data for the script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from accounts.tenancy import Asker
from audit.chart import STACK, Chart, Lines, Publication, calls_data, draw, draw_latency, latency_data
from audit.figures import Bucket, Latency, OverTime, outcomes_over_time, over_time
from audit.periods import Period, Unit
from common.spelt_once import spelt_once
from policies.models import Grant, PolicyRevision
from servers.models import Server

MOST_PUBLISHED: Final = 20


@dataclass(frozen=True, slots=True)
class Span:
    """A span that the page offers. Bars are whole `bar_unit`s; it begins and ends with a whole `unit`."""

    label: str
    length: timedelta
    bars: int
    axis: str
    unit: Unit
    bar_unit: Unit


SPANS: Final = {
    "1h": Span("1 h", timedelta(hours=1), 30, "H:i", Unit.MINUTE, Unit.MINUTE),
    "24h": Span("24 h", timedelta(hours=24), 48, "H:i", Unit.HOUR, Unit.HALF_HOUR),
    "7d": Span("7 d", timedelta(days=7), 42, "j M", Unit.HOUR, Unit.HOUR),
    "30d": Span("30 d", timedelta(days=30), 30, "j M", Unit.DAY, Unit.DAY),
}
# Counts of single servers and grants per minute are not kept long enough for more.
SPANS_OF_ONE: Final = {
    "24h": Span("24 h", timedelta(hours=24), 24, "H:i", Unit.HOUR, Unit.HOUR),
    "7d": SPANS["7d"],
    "30d": SPANS["30d"],
}


@dataclass(frozen=True, slots=True)
class CallsPicture:
    chart: Chart
    axis: str
    totals: dict[str, int]
    table: list[Bucket]
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class LatencyPicture:
    lines: Lines
    data: dict[str, object]


def chosen(spans: Mapping[str, Span], wanted: str | None) -> tuple[str, Span]:
    key = wanted if wanted is not None and wanted in spans else "24h"
    return key, spans[key]


def links(spans: Mapping[str, Span], current: str) -> list[dict[str, object]]:
    return [
        {"label": one.label, "href": f"?span={key}", "current": key == current} for key, one in spans.items()
    ]


@dataclass(frozen=True, slots=True)
class Pictures:
    """`added` and `latency` are None if there were no calls."""

    calls: CallsPicture
    added: LatencyPicture | None
    latency: Latency | None


def pictures(member: Asker, span: Span, period: Period) -> Pictures:
    """Draw all calls of the organization."""
    found = over_time(member, replace(period, unit=span.bar_unit), span.bars)
    calls = _calls(found.buckets, span, period, _published(member, period.since))
    return Pictures(calls, _added(found, span, period), found.latency)


def picture_of_one(member: Asker, span: Span, period: Period, one: Server | Grant) -> CallsPicture:
    only = {"server" if isinstance(one, Server) else "grant": one.pk}
    buckets = outcomes_over_time(member, replace(period, unit=span.bar_unit), span.bars, **only)
    return _calls(buckets, span, period, _published(member, period.since, one))


def _calls(
    buckets: tuple[Bucket, ...], span: Span, period: Period, published: list[Publication]
) -> CallsPicture:
    chart = draw(buckets, period.since, period.until, published)
    return CallsPicture(
        chart=chart,
        axis=span.axis,
        totals={key: sum(bucket.counts[name] for bucket in buckets) for name, key, _ in STACK},
        table=[bucket for bucket in buckets if bucket.total],
        data=calls_data(chart, buckets, period.until),
    )


def _added(found: OverTime, span: Span, period: Period) -> LatencyPicture | None:
    lines = draw_latency(found.latencies)
    if lines is None:
        return None
    starts = [bucket.at for bucket in found.buckets]
    return LatencyPicture(lines, latency_data(found.latencies, starts, period.until, lines.top))


def _published(member: Asker, since: datetime, one: Server | Grant | None = None) -> list[Publication]:
    match one:
        case None:
            newest = _published_last(member, since)
        case Server():
            newest = list(_newest(_since(member, since).filter(policy__server=one)))
        case _:
            newest = list(_newest(_since(member, since).filter(policy=one.policy_id)))
    return [Publication(*each) for each in newest][::-1]


@spelt_once
def _published_last(member: Asker, since: datetime) -> QuerySet[PolicyRevision, tuple[str, int, datetime]]:
    return _newest(_since(member, since))


def _since(member: Asker, since: datetime) -> QuerySet[PolicyRevision]:
    return PolicyRevision.objects.visible_to(member).filter(published_at__gte=since)


def _newest(found: QuerySet[PolicyRevision]) -> QuerySet[PolicyRevision, tuple[str, int, datetime]]:
    newest = found.order_by("-published_at")
    return newest.values_list("policy__name", "number", "published_at")[:MOST_PUBLISHED]
