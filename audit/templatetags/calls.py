"""Lets the templates of apps that stand below the log show calls over time."""

from __future__ import annotations

from typing import Any

from django import template

from audit.periods import Period
from audit.pictures import SPANS_OF_ONE, calls_picture, chosen, links
from policies.models import Grant
from servers.models import Server

register = template.Library()


@register.inclusion_tag("audit/_calls_of_one.html", takes_context=True)
def calls_over_time(
    context: dict[str, Any], *, server: Server | None = None, grant: Grant | None = None
) -> dict[str, Any]:
    """A panel for one server or one grant; the span stands in the page's address."""
    request = context["request"]
    key, span = chosen(SPANS_OF_ONE, request.GET.get("span"))
    period = Period.until_now(span.length, span.unit)
    one = server or grant
    return {
        "spans": links(SPANS_OF_ONE, key),
        "calls": calls_picture(request.member, span, period, server=server, grant=grant),
        "only": f"{'server' if server else 'grant'}={one.public_id}" if one else "",
        "csp_nonce": context.get("csp_nonce", ""),
    }
