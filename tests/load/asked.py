"""Makes calls that people were asked to approve: most were answered long ago, some are waiting now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from approvals.arguments import seal
from approvals.models import Approval
from common.ids import new_uuid
from policies.models import Grant

State = Approval.State
# How each ten that are over ended.
_ENDS: Final = (*[State.USED] * 6, State.DECLINED, State.EXPIRED, State.EXPIRED, State.SUPERSEDED)
_ARGUMENTS: Final = (
    '{"user": "alice", "amount": %d, "invoice": "inv_%06d", "note": "Paid in two parts.",'
    ' "lines": [{"item": "chairs", "count": 4}, {"item": "desks", "count": 2}], "urgent": true}'
)
_TOOLS: Final = (("rotate_key_1", "/tools/rotate_key_1/action"), ("pay_user_7", "/tools/pay_*/approve_if/0"))


@dataclass(frozen=True, slots=True)
class Around:
    """What the calls refer to. `in_force` maps each policy to its revision.

    `ago` spreads a number of things over the days that are filled.
    """

    grants: Sequence[Grant]
    in_force: Mapping[UUID, UUID]
    by: Membership
    ago: Callable[[int, int], datetime]


def calls_asked_about(answered: int, waiting: int, around: Around) -> list[Approval]:
    """The calls in the order they were asked about; those waiting come last, half of them payments."""
    rows = []
    for number in range(answered + waiting):
        grant = around.grants[number % len(around.grants)]
        row = _asked(number, grant, around.ago(min(number, answered), answered))
        row.policy_revision_id = around.in_force[grant.policy_id] if grant.policy_id else None
        if number < answered:
            _over(row, _ENDS[number % len(_ENDS)], around.by)
        else:
            _waits(row, number)
        rows.append(row)
    return _in_order(rows)


def _asked(number: int, grant: Grant, at: datetime) -> Approval:
    row = Approval(organization_id=grant.organization_id, server_id=grant.server_id, grant_id=grant.pk)
    row.tool, row.rule = _TOOLS[number % len(_TOOLS)]
    row.grant_token, row.rules_digest = grant.token_hash, "a" * 64
    row.call_digest = hashlib.sha256(f"{row.pk}".encode()).hexdigest()
    row.called_at = row.asked_at = at
    row.expires_at = at + timedelta(minutes=15)
    row.asked_by = row.reserved_by = new_uuid()
    row.reason = "A person has to agree."
    return row


def _over(row: Approval, state: Approval.State, by: Membership) -> None:
    """End it. Its arguments are no longer kept."""
    row.state, row.standing, row.ended_at = state, False, row.asked_at + timedelta(minutes=2)
    if state in (State.USED, State.DECLINED):
        row.answered_at, row.answered_by_id = row.asked_at + timedelta(minutes=1), by.pk
        row.answered_by_email = "p0@example"


def _waits(row: Approval, number: int) -> None:
    row.called_at = row.asked_at = timezone.now()
    row.expires_at = row.asked_at + timedelta(days=1, seconds=number)
    row.sealed = seal(row, _ARGUMENTS % (500 + number, number))


def _in_order(rows: list[Approval]) -> list[Approval]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('approvals_position') FROM generate_series(1, %s)", [len(rows)])
        for row, (position,) in zip(rows, cursor.fetchall(), strict=True):
            row.position = position
    return rows
