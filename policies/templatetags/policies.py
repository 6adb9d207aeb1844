"""Rows of the policies."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.safestring import SafeString

from common.templatetags._moulds import filled, joined
from common.templatetags._ways import address
from common.templatetags.ui import ago, oneline
from policies.models import Policy

register = template.Library()


@register.simple_tag
def policy_rows(rows: Iterable[Policy]) -> SafeString:
    return joined(map(_row, rows))


def _row(policy: Policy) -> SafeString:
    pk, server, live = policy.public_id, policy.server, policy.published_revision
    draft: str = policy.draft_state  # type: ignore[attr-defined]
    filling = {
        "href": address("policies:editor", pk),
        "name": oneline(policy.name),
        "server_href": address("servers:detail", server.public_id),
        "server": oneline(server.name),
        "number": live.number if live else "",
        "published": ago(live.published_at) if live else "",
        "review": address("policies:review", pk),
        "saved": ago(policy.draft_saved_at) if draft == "changed" else "",
        "grants": policy.grant_count,  # type: ignore[attr-defined]
    }
    return filled("policies/_listed.html", [filling], in_force=live is not None, draft=draft)
