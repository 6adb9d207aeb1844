"""A waiting call as a person sees it: what, by whom, why, with which arguments, and who may answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from accounts.models import Membership
from accounts.permissions import May, may, require
from accounts.tenancy import Asker
from approvals import arguments
from approvals.arguments import Argument
from approvals.grounds import Grounds, grounds_of
from approvals.models import Approval, ApprovalQuerySet
from approvals.services import refusals_of_own
from common.errors import NotAllowed
from common.ids import public_id
from common.spelt_once import spelt_once
from policies.models import Grant, PolicyRevision
from servers.models import Server, Tool

SOON_SECONDS = 120
LOOKS_BACK = timedelta(days=30)
State = Approval.State


@dataclass(frozen=True, slots=True)
class Habit:
    """How the same grant's other calls of the same tool were answered."""

    asked: int
    approved: int


@dataclass(frozen=True, slots=True)
class Card:
    """`refusal`: why this person cannot answer; `arguments`: None if they may not read them, or erased."""

    approval: Approval
    state: Approval.State
    tool: Tool | None
    grounds: Grounds
    arguments: list[Argument] | None
    may_read: bool
    is_own: bool
    refusal: str
    seconds_left: int
    seconds_in_all: int
    habit: Habit | None
    policy: str = ""

    @property
    def waits(self) -> bool:
        return self.state is State.PENDING

    @property
    def is_urgent(self) -> bool:
        return self.seconds_left < min(SOON_SECONDS, self.seconds_in_all / 3)

    @property
    def left(self) -> str:
        return left_words(self.seconds_left)


def left_words(seconds: int) -> str:
    """Return the same words as frontend/js/countdown.js, which keeps them up to date."""
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes:02} min left"
    return f"{minutes} min {rest:02} s left" if minutes else f"{rest} s left"


def visible(member: Membership) -> ApprovalQuerySet:
    found: ApprovalQuerySet = Approval.objects.visible_to(member)
    return found.select_related("grant", "server")


def waiting(member: Membership) -> ApprovalQuerySet:
    """Select waiting calls, the one that expires soonest first."""
    return visible(member).waiting().order_by("expires_at", "pk")


def how_many_wait(member: Asker) -> int:
    return sum(calls for (calls,) in _counted_waiting(member, timezone.now()))


@spelt_once
def _counted_waiting(member: Asker, now: datetime) -> QuerySet[Approval, tuple[int]]:
    found = Approval.objects.visible_to(member).waiting(now).order_by().values("organization")
    return found.annotate(calls=Count("pk")).values_list("calls")


def first_lapse(member: Asker) -> datetime | None:
    """Return when the first of them is denied unless someone answers."""
    return min((at for (at,) in _first_lapses(member, timezone.now())), default=None)


@spelt_once
def _first_lapses(member: Asker, now: datetime) -> QuerySet[Approval, tuple[datetime]]:
    found = Approval.objects.visible_to(member).waiting(now).order_by().values("organization")
    return found.annotate(first=Min("expires_at")).values_list("first")


def like(rows: ApprovalQuerySet, wanted: str) -> ApprovalQuerySet:
    """Select calls whose tool, grant or server contains the text; all of them if it is empty."""
    if not wanted:
        return rows
    # Subqueries look at each grant and server once; joins would look at them for every call.
    grants = Grant.objects.filter(label__icontains=wanted).values("pk")
    servers = Server.objects.filter(name__icontains=wanted).values("pk")
    return rows.filter(Q(tool__icontains=wanted) | Q(grant__in=grants) | Q(server__in=servers))


def wanted_of(query: Mapping[str, str]) -> str:
    return query.get("q", "").strip().replace("\x00", "")


def cards(member: Membership, rows: Iterable[Approval]) -> list[Card]:
    """Build the cards with a handful of queries, however many rows there are."""
    read = list(rows)
    if not read:
        return []
    around = _Around(
        member=member,
        now=timezone.now(),
        tools=_tools(read),
        documents=_documents(member, read),
        habits=_habits(member, read),
        refusal=_refusal(member),
        refusals_of_own=refusals_of_own(member, member.organization, (row.grant for row in read)),
    )
    return [_card(row, around) for row in read]


def card(member: Membership, row: Approval) -> Card:
    (made,) = cards(member, [row])
    return made


@dataclass(frozen=True, slots=True)
class _Around:
    """What is looked up once for all cards."""

    member: Membership
    now: datetime
    tools: dict[tuple[UUID, str], Tool]
    documents: dict[UUID, str]
    habits: dict[tuple[UUID, str], Habit]
    refusal: str
    refusals_of_own: dict[UUID, str]


def _card(row: Approval, around: _Around) -> Card:
    document = around.documents.get(row.policy_revision_id) if row.policy_revision_id else None
    grounds = grounds_of(row.rule, row.tool, row.reason, document)
    return Card(
        approval=row,
        state=row.state_at(around.now),
        tool=around.tools.get((row.server_id, row.tool)),
        grounds=grounds,
        arguments=_arguments(around.member, row, grounds),
        may_read=may(around.member, May.READ_ARGUMENTS),
        is_own=row.grant_id in around.refusals_of_own,
        refusal=around.refusal or around.refusals_of_own.get(row.grant_id, ""),
        seconds_left=max(int((row.expires_at - around.now).total_seconds()), 0),
        seconds_in_all=max(int((row.expires_at - _began(row)).total_seconds()), 1),
        habit=around.habits.get((row.grant_id, row.tool)),
        policy=public_id("pol", row.grant.policy_id) if row.grant.policy_id else "",
    )


def _began(row: Approval) -> datetime:
    return row.answered_at or row.asked_at


def _arguments(member: Membership, row: Approval, grounds: Grounds) -> list[Argument] | None:
    if not may(member, May.READ_ARGUMENTS):
        return None
    text = arguments.read(row)
    return None if text is None else arguments.members_of(text, grounds.marks)


def _refusal(member: Membership) -> str:
    try:
        require(member, May.APPROVE)
    except NotAllowed as refused:
        return refused.message
    return ""


def _tools(rows: list[Approval]) -> dict[tuple[UUID, str], Tool]:
    found = Tool.objects.filter(server_id__in={row.server_id for row in rows}, removed_at=None)
    named = found.filter(name__in={row.tool for row in rows}).defer("input_schema", "description")
    return {(tool.server_id, tool.name): tool for tool in named}


def _documents(member: Membership, rows: list[Approval]) -> dict[UUID, str]:
    asked_if = (row.policy_revision_id for row in rows if "/approve_if/" in row.rule)
    found = PolicyRevision.objects.visible_to(member).filter(pk__in={pk for pk in asked_if if pk})
    return dict(found.values_list("pk", "document"))


def _habits(member: Membership, rows: list[Approval]) -> dict[tuple[UUID, str], Habit]:
    earlier = Approval.objects.visible_to(member).filter(
        grant_id__in={row.grant_id for row in rows},
        tool__in={row.tool for row in rows},
        asked_at__gt=timezone.now() - LOOKS_BACK,
    )
    agreed = Q(answered_at__isnull=False) & ~Q(state=State.DECLINED)
    counted = earlier.exclude(pk__in=[row.pk for row in rows]).order_by().values_list("grant_id", "tool")
    return {
        (grant, tool): Habit(asked, approved)
        for grant, tool, asked, approved in counted.annotate(
            asked=Count("pk"), approved=Count("pk", filter=agreed)
        )
    }
