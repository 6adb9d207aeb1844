"""Waiting calls as they come and as they are answered, wherever that happens.

`row` is a call that waits since now; `swap` one that does no longer, and the figures of the page.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Max
from django.http import HttpResponseBase
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.streams import News, event, stream
from accounts.views.members import member_required
from approvals.cards import Card, cards, visible
from approvals.models import Approval
from common.notifications import APPROVALS

AT_ONCE: Final = 50


@require_GET
@member_required
def live(request: MemberRequest) -> HttpResponseBase:
    return stream(request, APPROVALS, news_of, lambda: newest_position(request.member))


def newest_position(member: Membership) -> int:
    newest = Approval.objects.visible_to(member).aggregate(newest=Max("position"))["newest"]
    return newest or 0


def news_of(member: Membership, position: int) -> News:
    newest = newest_position(member)
    changed = visible(member).filter(position__gt=position).order_by("position")
    rows = list(changed[:AT_ONCE])
    everything = len(rows) < AT_ONCE
    reached = max([position, *(row.position or 0 for row in rows), newest if everything else 0])
    events = [_event(card, reached) for card in cards(member, rows)]
    if events:
        count = Approval.objects.visible_to(member).waiting().count()
        for name in ("_title", "_nav_count"):
            html = render_to_string(f"approvals/{name}.html", {"waiting_count": count})
            events.append(event("swap", reached, html))
    return News(events, reached, everything)


def _event(card: Card, position: int) -> str:
    html = render_to_string("approvals/_card.html", {"card": card, "level": 2})
    return event("row" if card.waits else "swap", position, html)
