"""The calls of the last days, decided again under the draft: beside each change, and on their own page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from policies.beside import beside
from policies.outlook import Outlook, ToolOutlook, outlook, tools_of
from policies.replay import ToolTraffic, replay
from policies.traffic import traffic_of
from policies.views._editor_page import crumbs
from policies.views._shared import find_policy, reads_each_text_once

_NO_CALLS = ToolTraffic()


@dataclass(frozen=True, slots=True)
class Row:
    outlook: ToolOutlook
    traffic: ToolTraffic


@require_safe
@member_required
@reads_each_text_once
def traffic(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    seen = outlook(
        policy.server, policy.draft, policy.published_revision, tools_of(policy.server), beside(policy)
    )
    found = replay(seen.compiled, traffic_of(request.member, policy)) if seen.compiled else None
    known: Mapping[str, ToolTraffic] = found.tools if found else {}
    context = {
        "policy": policy,
        "outlook": seen,
        "replay": found,
        "rows": [Row(row, known.get(row.tool.name, _NO_CALLS)) for row in _changed(seen)],
        "others": _others(seen, known),
        "may_keep": may(request.member, May.CHANGE_SECURITY),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "policies/_traffic_answer.html", context)
    crumb = crumbs(policy, "Last week’s calls")
    return render(request, "policies/traffic.html", {**context, "crumbs": crumb, "section": "policies"})


def _changed(seen: Outlook) -> list[ToolOutlook]:
    return [*seen.looser, *seen.altered, *seen.tighter]


def _others(seen: Outlook, known: Mapping[str, ToolTraffic]) -> list[tuple[str, ToolTraffic]]:
    """Returns tools whose own rules stay but some of whose calls change too: they share a limit, or
    the server no longer lists them."""
    listed = {row.tool.name for row in _changed(seen)}
    moved = [(name, each) for name, each in known.items() if name not in listed and each.changed]
    return sorted(moved, key=lambda row: (-row[1].changed, row[0]))[:100]
