"""Renders decisions as rows of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from audit.models import DecisionRecord
from audit.queries import DecisionRow
from audit.trace import in_short
from common.templatetags._moulds import filled, joined
from common.templatetags.ui import oneline, outcome

register = template.Library()

_NOTHING_YET: Final[Mapping[UUID, SafeString]] = {}


@register.filter
def asked_people(rows: Iterable[DecisionRow]) -> list[UUID]:
    """Return the approvals that these calls asked for."""
    return [pk for row in rows if row.record.outcome == "approval" and (pk := row.record.approval_id)]


@register.simple_tag
def days_of_calls(rows: Iterable[DecisionRow], became: Mapping[UUID, SafeString]) -> SafeString:
    """Render rows, newest first, under their day unless it is today: a row shows only the time.

    `became`: for calls that asked for an approval, the mark of what has become of it.
    """
    return joined(_by_day(rows, became))


def _by_day(rows: Iterable[DecisionRow], became: Mapping[UUID, SafeString]) -> Iterator[SafeString]:
    today = _day(timezone.now())
    for day, of_day in groupby(rows, key=lambda row: _day(row.record.at)):
        if day != today:
            yield filled("audit/_day.html", [{"day": day}])
        yield call_rows(of_day, became)


def _day(moment: datetime) -> str:
    return f"{moment:%-d %b %Y}, UTC"


def call_rows(rows: Iterable[DecisionRow], became: Mapping[UUID, SafeString] = _NOTHING_YET) -> SafeString:
    return filled("audit/_row.html", _fillings(rows, became))


def _fillings(rows: Iterable[DecisionRow], became: Mapping[UUID, SafeString]) -> Iterator[dict[str, str]]:
    within = reverse("audit:log")
    for row in rows:
        record, pk = row.record, row.id
        yield {
            "id": pk,
            "href": f"{within}{pk}/",
            "at": record.at.isoformat(),
            "day": _day(record.at),
            "time": f"{record.at:%H:%M:%S}",
            "outcome": _mark(record, became),
            "tool": oneline(record.tool or record.method),
            "grant": oneline(row.grant_label),
            "why": oneline(_why(record)),
            "took": "" if row.took_ms is None else _took(row.took_ms),
        }


def _mark(record: DecisionRecord, became: Mapping[UUID, SafeString]) -> SafeString:
    now = became.get(record.approval_id) if record.approval_id and record.outcome == "approval" else None
    return now or outcome(record.outcome, record.code, approval=record.approval_id)


def _why(record: DecisionRecord) -> str:
    """Return what the agent was told, or which rule let the call through."""
    if record.code == "hidden":
        return "hidden from this grant"
    return in_short(record.tool, record.reason, record.rule)


def _took(milliseconds: float) -> str:
    """Format milliseconds, with tenths only below 10."""
    return f"{milliseconds:,.1f} ms" if milliseconds < 10 else f"{milliseconds:,.0f} ms"
