"""Live updates of waiting calls, as they arrive and as they are answered, wherever that happens.

`row` is a call that has begun to wait; `swap` is one that no longer waits, or a figure on the page.
"""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.db.models import Max
from django.http import HttpResponseBase
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.streams import News, event, stream
from accounts.views.members import member_required
from approvals.cards import Card, cards, how_many_wait, like, visible, wanted_of
from approvals.models import Approval, ApprovalQuerySet
from common.notifications import APPROVALS

AT_ONCE: Final = 50


@require_GET
@member_required
def live(request: MemberRequest) -> HttpResponseBase:
    """`q`: the search of the listening page. For calls it does not match, only the end of waiting is sent."""
    look = partial(news_of, wanted_of(request.GET.dict()))
    return stream(request, APPROVALS, look, lambda: newest_position(request.member))


def newest_position(member: Membership) -> int:
    newest = Approval.objects.visible_to(member).aggregate(newest=Max("position"))["newest"]
    return newest or 0


def news_of(wanted: str, member: Membership, position: int) -> News:
    newest = newest_position(member)
    changed = visible(member).filter(position__gt=position).order_by("position")
    rows = list(changed[:AT_ONCE])
    everything = len(rows) < AT_ONCE
    reached = max([position, *(row.position or 0 for row in rows), newest if everything else 0])
    sought = _sought(rows, wanted)
    events = [
        _event(card, reached) for card in cards(member, rows) if not card.waits or card.approval.pk in sought
    ]
    if rows:
        count = how_many_wait(member)
        for name in ("_title", "_nav_count", "_top_count"):
            html = render_to_string(f"approvals/{name}.html", {"waiting_count": count})
            events.append(event("swap", reached, html))
    return News(events, reached, everything)


def _sought(rows: list[Approval], wanted: str) -> set[UUID]:
    found: ApprovalQuerySet = Approval.objects.filter(pk__in=[row.pk for row in rows])
    return set(like(found, wanted).values_list("pk", flat=True)) if wanted else {row.pk for row in rows}


def _event(card: Card, position: int) -> str:
    html = render_to_string("approvals/_card.html", {"card": card, "level": 2})
    return event("row" if card.waits else "swap", position, html)
