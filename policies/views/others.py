"""Tells people what others do to the policy they look at, as it happens and beside what they have typed."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.streams import News, event, stream
from accounts.views.members import member_required
from common.notifications import POLICIES
from policies.models import Policy
from policies.textdiff import text_diff
from policies.views._shared import draft_before, find_policy

# Positions rise with every saved draft and every published revision.
_A_VERSION: Final = 1_000_000


@require_GET
@member_required
def live(request: MemberRequest, policy_id: str) -> HttpResponseBase:
    """Streams an event when someone has saved or published; the page knows which events are its own."""
    policy = find_policy(request, policy_id)
    return stream(request, POLICIES, partial(_news, policy.pk), lambda: position_of(policy))


@require_POST
@member_required
def difference(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Shows how the text that came differs from the stored draft."""
    policy = find_policy(request, policy_id)
    found = text_diff(policy.draft, draft_before(request, policy))
    return render(request, "policies/_text_diff.html", {"differences": found})


def position_of(policy: Policy) -> int:
    live_now = policy.published_revision
    return policy.version * _A_VERSION + (live_now.number if live_now else 0)


def _news(policy_pk: UUID, member: Membership, position: int) -> News:
    mine = Policy.objects.visible_to(member).select_related("published_revision")
    policy = mine.filter(pk=policy_pk).defer("tests").first()
    now = position_of(policy) if policy else position
    if policy is None or now <= position:
        return News([], position, True)
    html = render_to_string("policies/_others.html", {"policy": policy, "live": policy.published_revision})
    return News([event("swap", now, html)], now, True)
