"""Lets the templates of apps that stand below the log show calls over time."""

from __future__ import annotations

from typing import Any

from django import template

from audit.periods import Period
from audit.pictures import SPANS_OF_ONE, chosen, links, picture_of_one
from policies.models import Grant
from servers.models import Server

register = template.Library()


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
