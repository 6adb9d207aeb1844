"""What servers changed under the rules of a policy; templates of apps below this one use it too."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.permissions import May, may
from policies.lapses import lapses
from policies.models import Policy
from servers.models import Server

register = template.Library()


@register.inclusion_tag("policies/_changed.html", takes_context=True)
def changed_tools(context: dict[str, Any], one: Server | Policy | None = None) -> dict[str, Any]:
    """Shows a note for each affected policy in use: those of one server, one policy, or all."""
    member = context["request"].member
    match one:
        case Server():
            found = lapses(member, server=one)
        case Policy():
            found = lapses(member, policy=one)
        case None:
            found = lapses(member)
    here = context["request"].resolver_match.view_name == "policies:review"
    return {
        "lapses": found,
        "leads": may(member, May.EDIT_POLICIES) and not here,
        "within": isinstance(one, Policy),
    }
