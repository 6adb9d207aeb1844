"""Every change of an approval goes through here: it is numbered in commit order and announced."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from approvals.models import Approval
from common.held import held
from common.notifications import APPROVALS, notify

# Advisory lock: once a position is visible, so is every smaller one. Taken after all row locks and held until
# the transaction ends, so it must be the last thing a request does.
_COMMIT_ORDER = 70_235

_ALIVE = (Approval.State.PENDING, Approval.State.APPROVED)


def keep(changed: Iterable[Approval], *fields: str) -> None:
    """Save rows that this transaction has locked or just created."""
    rows = list(changed)
    if not rows:
        return
    with connection.cursor() as cursor:
        # Foreign keys of what was stored so far are checked now: at the end of it all they would wait
        # for others' row locks with the lock below held.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_COMMIT_ORDER])
        cursor.execute("SELECT nextval('approvals_position') FROM generate_series(1, %s)", [len(rows)])
        for row, (position,) in zip(rows, cursor.fetchall(), strict=True):
            row.position = position
    Approval.objects.bulk_update(rows, ["position", *fields])
    for organization in {row.organization_id for row in rows}:
        notify(APPROVALS, str(organization))


def make_void(rows: Iterable[Approval], because: Approval.Because, now: datetime) -> None:
    """Void locked, standing rows: no person is awaited any more, and an approval no longer counts."""
    read = list(rows)
    for row in read:
        row.standing = False
        if row.state_at(now) in _ALIVE:
            row.state, row.because, row.ended_at = Approval.State.SUPERSEDED, because, now
        else:
            note_end(row, now)
    keep(read, "standing", "state", "because", "ended_at")


def note_end(row: Approval, now: datetime) -> None:
    """Set a row whose time limit has ended to expired, as of the moment of the limit, not as of now."""
    if row.state_at(now) is Approval.State.EXPIRED and row.state != Approval.State.EXPIRED:
        row.state, row.ended_at = Approval.State.EXPIRED, row.expires_at


def lock_one(row: UUID) -> Approval:
    return held(Approval.objects.select_for_update(of=("self",)).filter(pk=row))


def lock(rows: Iterable[UUID]) -> list[Approval]:
    """Lock rows in one order everywhere, so that there is no deadlock."""
    found = Approval.objects.select_for_update(of=("self",)).filter(pk__in=list(rows))
    return list(found.order_by("pk"))
