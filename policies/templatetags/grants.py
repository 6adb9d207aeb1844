"""Rows of the grants."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.safestring import SafeString

from common.templatetags._moulds import filled, joined
from common.templatetags._ways import address
from common.templatetags.ui import ago, oneline
from policies.models import Grant

register = template.Library()


@register.simple_tag
def grant_rows(rows: Iterable[tuple[Grant, int]]) -> SafeString:
    """Draws the rows; each grant comes with its number of calls today."""
    return joined(_row(grant, today) for grant, today in rows)


@register.simple_tag
def grant_state(grant: Grant) -> SafeString:
    state = "retired" if grant.server.retired_at else grant.state
    return filled("grants/_state.html", [{}], state=state)


def _row(grant: Grant, today: int) -> SafeString:
    policy, server = grant.policy, grant.server
    under = "" if policy is None else "policy" if policy.published_revision_id else "draft"
    revoked = grant.revoked_at is not None
    filling = {
        "href": address("grants:detail", grant.public_id),
        "label": oneline(grant.label),
        "hint": grant.hint,
        "server_href": address("servers:detail", server.public_id),
        "server": oneline(server.name),
        "policy_href": address("policies:editor", policy.public_id) if policy else "",
        "policy": oneline(policy.name) if policy else "",
        "state": grant_state(grant),
        "until": ago(grant.revoked_at if revoked else grant.expires_at),
        "used": ago(grant.last_used_at, never="not yet"),
        "today": today,
    }
    return filled("grants/_row.html", [filling], under=under, revoked=revoked)
