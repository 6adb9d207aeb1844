"""Answers the gateways: may this call be sent, is a person asked about it, what became of the others.

Each answer is one transaction with the row locked: of any number of identical calls, at most one is sent for
one approval.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final, assert_never
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from accounts.models import Organization
from approvals import notices
from approvals.addresses import address
from approvals.arguments import seal
from approvals.changes import keep, lock, make_void, note_end
from approvals.models import Approval
from common.alone import BEGINNING, wait_for_ones_turn
from common.ids import new_uuid
from common.internal_api import Refused
from common.storable import storable
from gateway_config.wire.approvals import (
    ApprovalAsk,
    ApprovalClaim,
    ApprovalNews,
    ApprovalUnused,
    ClaimAnswer,
    NewsAnswer,
    NewsState,
    Told,
)
from policies.models import Grant

logger = logging.getLogger(__name__)

NOBODY_ASKED: Final = ClaimAnswer(state="none")
# An agent whose every call needs approval must not bury the calls of others.
MOST_WAITING_OF_A_GRANT = 100
MOST_WAITING = 1_000
LONGEST_TOOL = 2_048
TOLD_AGAIN = timedelta(hours=1)
MOST_NEWS = 1_000
# Each is told with the next use. A call that could not be sent so often is asked about anew.
MOST_GIVEN_BACK = 100
State = Approval.State


# ---- claiming
@transaction.atomic
def claim(asked: ApprovalClaim) -> ClaimAnswer:
    """Answer `approved` at most once for each approval, and again for the decision that already used it."""
    standing = _standing(asked)
    now = timezone.now()
    if (mine := _used_by(asked)) is not None:
        return _answer(mine, "approved", now)
    if standing is None:
        return NOBODY_ASKED
    if (because := _changed(standing, asked)) is not None:
        make_void([standing], because, now)
        return NOBODY_ASKED
    return _told(standing, asked, now)


def _told(standing: Approval, asked: ApprovalClaim, now: datetime) -> ClaimAnswer:
    match standing.state_at(now):
        case State.PENDING:
            return _answer(standing, "pending", now)
        case State.APPROVED:
            standing.state, standing.standing, standing.ended_at = State.USED, False, now
            standing.used_by = UUID(asked.decision_id)
            keep([standing], "state", "standing", "ended_at", "used_by")
            return _answer(standing, "approved", now)
        case State.DECLINED:
            if now < standing.expires_at:
                return _answer(standing, "declined", now)
            standing.standing = False
            keep([standing], "standing")
            return NOBODY_ASKED
        case State.EXPIRED:
            # Told only once: from now on it no longer stands.
            note_end(standing, now)
            standing.standing = False
            keep([standing], "state", "ended_at", "standing")
            return _answer(standing, "expired", now)
        case State.USED | State.SUPERSEDED:
            raise AssertionError("what was used or void does not stand")
        case other:
            assert_never(other)


def _standing(asked: ApprovalClaim) -> Approval | None:
    return (
        Approval.objects.select_for_update(of=("self",))
        .filter(organization_id=asked.organization, call_digest=asked.call_digest, standing=True)
        .first()
    )


def _used_by(asked: ApprovalClaim) -> Approval | None:
    """Look only after the lock: another request for the same decision may have been quicker."""
    mine = Approval.objects.filter(
        organization_id=asked.organization,
        call_digest=asked.call_digest,
        state=State.USED,
        used_by=asked.decision_id,
    )
    return mine.first()


def _changed(standing: Approval, asked: ApprovalClaim) -> Approval.Because | None:
    if standing.rules_digest != asked.rules_digest:
        return Approval.Because.RULES
    if standing.tool_digest != asked.tool_digest:
        return Approval.Because.TOOL
    return None


# ---- asking
@transaction.atomic
def ask(asked: ApprovalAsk) -> ClaimAnswer:
    """Ask a person. Of several who ask about the identical call, one does; the others learn whose reservation
    is in force."""
    # Before any row lock, and before anything is read: each counts those before it, and finds nothing of an
    # organization that was deleted meanwhile.
    wait_for_ones_turn(BEGINNING, asked.organization)
    grant = _grant_of(asked)
    for _ in range(3):
        standing = _standing(asked)
        now = timezone.now()
        if standing is not None and (answer := _asked_already(standing, asked, now)) is not None:
            return answer
        if (made := _make(asked, grant, now)) is not None:
            return _answer(made, "pending", now)
    raise Refused(409, "the identical call is asked for by too many at once")


def _asked_already(standing: Approval, asked: ApprovalAsk, now: datetime) -> ClaimAnswer | None:
    """Return an answer from the standing approval, or None if it no longer stands."""
    if (because := _changed(standing, asked)) is not None:
        make_void([standing], because, now)
        return None
    match standing.state_at(now):
        case State.PENDING | State.APPROVED:
            # It may have been approved since the claim: the next claim will find that.
            return _answer(standing, "pending", now)
        case State.DECLINED if now < standing.expires_at:
            return _answer(standing, "declined", now)
        case _:
            note_end(standing, now)
            standing.standing = False
            keep([standing], "state", "ended_at", "standing")
            return None


def _make(asked: ApprovalAsk, grant: Grant, now: datetime) -> Approval | None:
    """Create the approval, or return None if someone else's came first."""
    _leave_room(grant)
    approval = Approval(
        id=new_uuid(),
        organization_id=grant.organization_id,
        server_id=grant.server_id,
        grant=grant,
        grant_token=grant.token_hash,
        tool=asked.tool,
        call_digest=asked.call_digest,
        rules_digest=asked.rules_digest,
        tool_digest=asked.tool_digest,
        policy_revision_id=asked.policy,
        rule=storable(asked.rule, 700),
        reason=storable(asked.reason, 4_000),
        elicited=asked.elicitation,
        called_at=datetime.fromtimestamp(asked.at_ms / 1000, UTC),
        asked_at=now,
        expires_at=now + time_limit(grant.organization_id),
        asked_by=asked.decision_id,
        reserved_by=asked.reserved_by,
    )
    approval.sealed = seal(approval, asked.arguments_json)
    Approval.objects.bulk_create([approval], ignore_conflicts=True)
    if not Approval.objects.filter(pk=approval.pk).exists():
        return None
    notices.announce(approval)
    keep([approval])
    return approval


def _grant_of(asked: ApprovalAsk) -> Grant:
    """Return the grant. A worker may name anything: require that all of it belongs together and is valid."""
    if storable(asked.tool, LONGEST_TOOL) != asked.tool:
        raise Refused(400, "no tool is called so")
    grant = (
        Grant.objects.good()
        .filter(pk=asked.grant, organization_id=asked.organization, server_id=asked.server)
        .first()
    )
    if grant is None:
        raise Refused(404, "there is no such grant, or it calls no more")
    return grant


def _leave_room(grant: Grant) -> None:
    waiting = Approval.objects.filter(organization_id=grant.organization_id).waiting()
    counted = waiting.aggregate(all=Count("pk"), mine=Count("pk", filter=Q(grant=grant)))
    if counted["mine"] >= MOST_WAITING_OF_A_GRANT or counted["all"] >= MOST_WAITING:
        raise Refused(429, "as many calls wait as may")


def time_limit(organization_id: UUID) -> timedelta:
    seconds = Organization.objects.values_list("approval_seconds", flat=True).get(pk=organization_id)
    return timedelta(seconds=seconds)


# ---- unused
@transaction.atomic
def note_unused(said: ApprovalUnused) -> None:
    """Restore an approval, for what is left of its time, if not a byte of its call was sent."""
    organization = Approval.objects.filter(pk=said.id).values_list("organization_id", flat=True).first()
    if organization is None:
        return
    # Its grant is revoked or rotated before, and is then found so, or after.
    wait_for_ones_turn(BEGINNING, str(organization))
    found = Approval.objects.select_for_update(of=("self",))
    approval = found.filter(pk=said.id, state=State.USED, used_by=said.decision_id).first()
    if approval is None:
        return
    same = Approval.objects.filter(
        organization_id=approval.organization_id, call_digest=approval.call_digest, standing=True
    )
    if same.exists() or not _still_callable(approval) or len(approval.given_back_by) >= MOST_GIVEN_BACK:
        return
    now = timezone.now()
    approval.state, approval.standing, approval.ended_at = State.APPROVED, True, None
    # Gateways that heard of the use can tell from it why the approval is available again.
    approval.given_back_by = [*approval.given_back_by, UUID(said.decision_id)]
    note_end(approval, now)
    try:
        with transaction.atomic():
            keep([approval], "state", "standing", "ended_at", "given_back_by")
    except IntegrityError:
        # Someone asked again at this very moment. Only one of the two can stand, and it is theirs.
        return


def _still_callable(approval: Approval) -> bool:
    return Grant.objects.good().filter(pk=approval.grant_id, token_hash=approval.grant_token).exists()


# ---- news
def expire_due() -> int:
    """Note approvals whose time limit has ended. Rows that another transaction has locked are skipped."""
    with transaction.atomic():
        found = Approval.objects.over().select_for_update(of=("self",), skip_locked=True)
        rows = list(found.order_by("pk")[:MOST_NEWS])
        now = timezone.now()
        for row in rows:
            note_end(row, now)
        keep(rows, "state", "ended_at")
    return len(rows)


def news_after(cursor: int) -> NewsAnswer:
    """Return changes after the cursor. For 0, or a cursor from before a restore, return everything open and
    what ended recently."""
    now = timezone.now()
    newest = Approval.objects.aggregate(newest=Max("position"))["newest"] or 0
    rows = Approval.objects.filter(position__gt=cursor)
    if cursor == 0 or cursor > newest:
        rows = Approval.objects.filter(Q(ended_at=None) | Q(ended_at__gt=now - TOLD_AGAIN))
    read = list(rows.order_by("position")[:MOST_NEWS])
    everything = len(read) < MOST_NEWS
    reached = max([newest if everything else 0, *(row.position or 0 for row in read)], default=0)
    return NewsAnswer(cursor=reached, news=tuple(_news(row, now) for row in read))


@transaction.atomic
def was_restored(cursor: int) -> bool:
    """Return whether a gateway has seen later changes than were ever numbered here: the database is older
    than what was done. What it has as approved may have been used since, so those approvals are made void."""
    with connection.cursor() as asking:
        asking.execute("SELECT pg_sequence_last_value('approvals_position'::regclass)")
        (last,) = asking.fetchone()
    if cursor <= (last or 0):
        return False
    approved = Approval.objects.filter(state=State.APPROVED, standing=True).values_list("pk", flat=True)
    rows = [row for row in lock(approved) if row.state == State.APPROVED and row.standing]
    if rows:
        logger.warning("the database is older than the gateways: %d approvals are void", len(rows))
        make_void(rows, Approval.Because.RESTORED, timezone.now())
    return True


def seconds_to_next_end() -> float | None:
    alive = Approval.objects.filter(state__in=(State.PENDING, State.APPROVED))
    soonest = alive.aggregate(soonest=Min("expires_at"))["soonest"]
    return None if soonest is None else max((soonest - timezone.now()).total_seconds(), 0.0)


_NEWS: Final[dict[Approval.State, NewsState]] = {
    State.PENDING: "pending",
    State.APPROVED: "approved",
    State.DECLINED: "declined",
    State.EXPIRED: "expired",
    State.SUPERSEDED: "superseded",
    State.USED: "used",
}


def _news(row: Approval, now: datetime) -> ApprovalNews:
    state = row.state_at(now)
    return ApprovalNews(
        id=str(row.pk),
        organization=str(row.organization_id),
        reserved_by=str(row.reserved_by),
        state=_NEWS[state],
        seconds_left=_seconds_left(row, now) if state in (State.PENDING, State.APPROVED) else 0,
        used_by=str(row.used_by) if state is State.USED else "",
    )


# ---- answering
def _answer(approval: Approval, state: Told, now: datetime) -> ClaimAnswer:
    return ClaimAnswer(
        state=state,
        id=str(approval.pk),
        url=address(approval),
        seconds_left=_seconds_left(approval, now),
        reserved_by=str(approval.reserved_by),
        given_back=tuple(map(str, approval.given_back_by)),
    )


def _seconds_left(approval: Approval, now: datetime) -> int:
    return max(ceil((approval.expires_at - now).total_seconds()), 0)
