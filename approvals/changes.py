"""Every change of an approval goes through here: it is numbered in the order of commits, and told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from approvals.models import Approval
from common.held import held
from common.notifications import APPROVALS, notify

# Advisory lock: whoever saw a position has seen every smaller one. Taken after all locks on rows, and held
# to the end of the transaction, so it comes last of what a request does.
_COMMIT_ORDER = 70_235

_ALIVE = (Approval.State.PENDING, Approval.State.APPROVED)


def keep(changed: Iterable[Approval], *fields: str) -> None:
    """Saves rows that are locked, or were just made, by this transaction."""
    rows = list(changed)
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_COMMIT_ORDER])
        cursor.execute("SELECT nextval('approvals_position') FROM generate_series(1, %s)", [len(rows)])
        for row, (position,) in zip(rows, cursor.fetchall(), strict=True):
            row.position = position
    Approval.objects.bulk_update(rows, ["position", *fields])
    for organization in {row.organization_id for row in rows}:
        notify(APPROVALS, str(organization))


def make_void(rows: Iterable[Approval], because: Approval.Because, now: datetime) -> None:
    """Of locked rows that stand: nobody is waited for any more, and nothing that was agreed to counts."""
    read = list(rows)
    for row in read:
        row.standing = False
        if row.state_at(now) in _ALIVE:
            row.state, row.because, row.ended_at = Approval.State.SUPERSEDED, because, now
        else:
            note_end(row, now)
    keep(read, "standing", "state", "because", "ended_at")


def note_end(row: Approval, now: datetime) -> None:
    """That a time limit ended; the moment it did is the moment it ended."""
    if row.state_at(now) is Approval.State.EXPIRED and row.state != Approval.State.EXPIRED:
        row.state, row.ended_at = Approval.State.EXPIRED, row.expires_at


def lock_one(row: UUID) -> Approval:
    return held(Approval.objects.select_for_update(of=("self",)).filter(pk=row))


def lock(rows: Iterable[UUID]) -> list[Approval]:
    """In one order for everybody, so that nobody waits in a circle."""
    found = Approval.objects.select_for_update(of=("self",)).filter(pk__in=list(rows))
    return list(found.order_by("pk"))
