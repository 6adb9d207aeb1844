"""Calls over time: the picture and its table; also for the templates of apps that stand below the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.chart import Chart, Column
from audit.figures import Bucket
from audit.periods import Period
from audit.pictures import SPANS_OF_ONE, chosen, links, picture_of_one
from common.templatetags._moulds import filled
from policies.models import Grant
from servers.models import Server

register = template.Library()

_HATCHED: Final = format_html(' class="{}"', "hatch")


@register.inclusion_tag("audit/_calls_of_one.html", takes_context=True)
def calls_over_time(context: dict[str, Any], one: Server | Grant) -> dict[str, Any]:
    """A panel for one server or one grant; the span stands in the page's address."""
    request = context["request"]
    key, span = chosen(SPANS_OF_ONE, request.GET.get("span"))
    period = Period.until_now(span.length, span.unit)
    return {
        "spans": links(SPANS_OF_ONE, key),
        "calls": picture_of_one(request.member, span, period, one),
        "only": f"{'server' if isinstance(one, Server) else 'grant'}={one.public_id}",
        "csp_nonce": context.get("csp_nonce", ""),
    }


@register.simple_tag
def chart_columns(chart: Chart) -> SafeString:
    columns = ({"words": one.words, "x": one.x, "bars": _bars(one)} for one in chart.columns)
    return filled("audit/_column.html", columns)


def _bars(column: Column) -> SafeString:
    """Bottom to top; what was denied is hatched as well."""
    bars = (
        {
            "key": bar.key,
            "hatched": _HATCHED if bar.key == "deny" else "",
            "x": column.x,
            "y": f"{bar.y:.2f}",
            "height": f"{bar.height:.2f}",
        }
        for bar in column.bars
    )
    return filled("audit/_bar.html", bars)


@register.simple_tag
def calls_rows(table: Iterable[Bucket]) -> SafeString:
    return filled("audit/_calls_row.html", _fillings(table))


def _fillings(table: Iterable[Bucket]) -> Iterator[dict[str, str]]:
    for bucket in table:
        counts = {name: f"{count:,}" for name, count in bucket.counts.items()}
        yield {"at": f"{bucket.at:%-d %b %H:%M}", **counts}
