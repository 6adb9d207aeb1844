"""Calls that no longer wait, newest first. Of a hundred thousand, a page reads one index and fifty rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import Membership
from approvals.cards import like, visible
from approvals.models import Approval, ApprovalQuerySet

PER_PAGE: Final = 50
# Only this many of the newest are searched: the names are in other tables, and not indexed for searching.
SEARCHED: Final = 10_000
State = Approval.State
_STATES: Final[dict[str, tuple[str, ...]]] = {State.APPROVED: (State.APPROVED, State.USED)}


def answered(member: Membership) -> ApprovalQuerySet:
    """Select them without joins; all columns used are in the index `answered_in_order`."""
    waits = Q(state=State.PENDING, expires_at__gt=timezone.now())
    found: ApprovalQuerySet = Approval.objects.visible_to(member).exclude(waits)
    return found.order_by("-asked_at", "-pk")


def newest(found: ApprovalQuerySet) -> ApprovalQuerySet:
    """Select the newest `SEARCHED`, which are the ones a search looks through."""
    edge = list(found.values_list("asked_at", flat=True)[SEARCHED - 1 : SEARCHED])
    return found.filter(asked_at__gte=edge[0]) if edge else found


def rows_of(member: Membership, chosen: Iterable[UUID]) -> list[Approval]:
    rows = visible(member).defer("sealed").filter(pk__in=list(chosen)).order_by("-asked_at", "-pk")
    return list(rows)


@dataclass(frozen=True, slots=True)
class Turned:
    """A page of results. `total`: how many calls there are in all; `searched`: only so many, or 0 for all."""

    page: Page[UUID]
    rows: list[Approval]
    total: int
    searched: int


def turn(member: Membership, state: str, wanted: str, number: str | None) -> Turned:
    """`state`: one of Approval.State, or empty for all."""
    everything = answered(member)
    chosen = Q(state__in=_STATES.get(state, (state,))) if state else Q()
    counts = everything.order_by().aggregate(total=Count("pk"), chosen=Count("pk", filter=chosen))
    found = everything.filter(chosen)
    looked_at = like(newest(found), wanted) if wanted else found
    paginator = Paginator(looked_at.values_list("pk", flat=True), PER_PAGE)
    if not wanted:
        paginator.count = counts["chosen"]
    page = paginator.get_page(number)
    rows = rows_of(member, page.object_list)
    return Turned(page, rows, counts["total"], SEARCHED if wanted and counts["chosen"] > SEARCHED else 0)
