"""Renders calls over time, the picture and its table, also for templates of the apps below the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.chart import Chart, Published
from audit.figures import Bucket
from audit.periods import Period
from audit.pictures import SPANS_OF_ONE, chosen, links, picture_of_one
from common.templatetags._moulds import filled
from common.templatetags.ui import oneline, plain
from policies.models import Grant
from servers.models import Server

register = template.Library()

_HATCHED: Final = format_html(' class="{}"', "hatch")


@register.inclusion_tag("audit/_calls_of_one.html", takes_context=True)
def calls_over_time(context: dict[str, Any], one: Server | Grant) -> dict[str, Any]:
    """Render a panel for one server or one grant; the span is in the page's address."""
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
    """Render the bars, and over them the words of each column."""
    columns = ({"words": one.words, "x": one.x} for one in chart.columns)
    return filled("audit/_bars.html", _bars(chart)) + filled("audit/_column.html", columns)


def _bars(chart: Chart) -> Iterator[dict[str, str]]:
    """Yield one shape for all bars of an outcome; denied calls are also hatched."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for column in chart.columns:
        for bar in column.bars:
            shapes[bar.key].append(f"M{column.x}.06 {bar.y:.2f}h.88v{bar.height:.2f}h-.88z")
    for key, shape in shapes.items():
        yield {"key": key, "hatched": _HATCHED if key == "deny" else "", "shape": "".join(shape)}


@register.simple_tag
def calls_rows(table: Iterable[Bucket]) -> SafeString:
    return filled("audit/_calls_row.html", _fillings(table))


@register.simple_tag
def publications(published: Iterable[Published]) -> SafeString:
    """Render publications as lines in the picture."""
    return filled(
        "audit/_published.html",
        ({"words": plain(one.words), "at": _minute(one.at), "x": one.x} for one in published),
    )


@register.simple_tag
def publication_rows(published: Iterable[Published]) -> SafeString:
    return filled(
        "audit/_published_row.html",
        ({"words": oneline(one.words), "at": _minute(one.at)} for one in published),
    )


def _minute(at: datetime) -> str:
    return f"{at:%-d %b %H:%M}"


def _fillings(table: Iterable[Bucket]) -> Iterator[dict[str, object]]:
    for bucket in table:
        yield {"at": _minute(bucket.at), **bucket.counts}
