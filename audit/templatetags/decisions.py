"""Words of one decision for a row of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString

from audit.models import DecisionRecord
from audit.queries import DecisionRow
from common.templatetags._moulds import filled
from common.templatetags.ui import oneline, outcome
from policies.language.glance import rule_words

register = template.Library()


@register.filter
def why(record: DecisionRecord) -> str:
    """What the agent was told, or which rule let it through."""
    if record.code == "hidden":
        return "hidden from this grant"
    return record.reason or rule_words(record.rule, record.tool)


@register.simple_tag
def call_rows(rows: Iterable[DecisionRow]) -> SafeString:
    return filled("audit/_row.html", _fillings(rows))


def _fillings(rows: Iterable[DecisionRow]) -> Iterator[dict[str, str]]:
    within = reverse("audit:log")
    for row in rows:
        record, pk = row.record, row.id
        yield {
            "id": pk,
            "href": f"{within}{pk}/",
            "at": record.at.isoformat(),
            "time": f"{record.at:%H:%M:%S}",
            "outcome": outcome(record.outcome, record.code, approval=record.approval_id),
            "tool": oneline(record.tool or record.method),
            "grant": oneline(row.grant_label),
            "why": oneline(why(record)),
            "took": "" if row.took_ms is None else f"{row.took_ms:.1f}".removesuffix(".0") + " ms",
        }
