"""Notifies people of waiting calls, and webhooks of events: one row per message and address, written in the
transaction of what it reports.

Messages name the tool, server, grant and rule, never an argument. Following the link only reads: a GET
decides nothing.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Membership
from accounts.permissions import May, require, require_still
from approvals.changes import lock_one
from approvals.models import Approval, MailMuted, Notice, Webhook
from common.errors import Conflict, TooSoon
from common.starting import start

Kind = Notice.Kind

REST_BETWEEN_REMINDERS = timedelta(minutes=5)

logger = logging.getLogger(__name__)


# ---- writing
def announce(approval: Approval) -> None:
    """Write the messages in the transaction that asks; they are sent once it has committed."""
    rows = [_to_mailbox(approval, Kind.REQUESTED, email) for _, email in addressees(approval.organization_id)]
    _write(rows + _to_webhooks(approval.organization_id, Kind.REQUESTED, approval=approval))


def tell(organization_id: UUID, kind: Notice.Kind, data: dict[str, object]) -> None:
    """Write messages to webhooks only, in the transaction of the event."""
    _write(_to_webhooks(organization_id, kind, data=data))


@transaction.atomic
def remind(by: Membership, approval: Approval) -> int:
    """Write once more to everyone else who may answer, and return how many they are."""
    require(by, May.READ_ARGUMENTS)
    approval = lock_one(approval.pk)
    require_still(by, May.READ_ARGUMENTS)
    if approval.now is not Approval.State.PENDING:
        raise Conflict("This call is no longer waiting.")
    now = timezone.now()
    recent = approval.notices.filter(kind=Kind.REMINDER, created_at__gt=now - REST_BETWEEN_REMINDERS)
    last = recent.order_by("created_at").last()
    if last is not None:
        wait = last.created_at + REST_BETWEEN_REMINDERS - now
        raise TooSoon(
            "They were reminded a moment ago. Wait five minutes before you remind them again.", wait
        )
    others = [email for member, email in addressees(by.organization_id) if member != by.pk]
    _write([_to_mailbox(approval, Kind.REMINDER, email) for email in others])
    return len(others)


def write_test(webhook: Webhook) -> Notice:
    (notice,) = _write([Notice(organization_id=webhook.organization_id, kind=Kind.TEST, webhook=webhook)])
    return notice


def again(notice: Notice) -> None:
    """Send an ended message once more, with the same id and a full set of attempts."""
    notice.state, notice.due_at, notice.attempts, notice.ended_at = (
        Notice.State.WAITING,
        timezone.now(),
        0,
        None,
    )
    notice.save(update_fields=["state", "due_at", "attempts", "ended_at"])
    transaction.on_commit(lambda: _start([str(notice.pk)]))


def addressees(organization_id: UUID) -> list[tuple[UUID, str]]:
    """Return (membership, address) of those who may answer, confirmed their address and did not mute mail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_id, email FROM approvals_addressees(%s)", [organization_id])
        return [(UUID(str(member)), email) for member, email in cursor.fetchall()]


def mute(member: Membership, muted: bool) -> None:
    if muted:
        row = MailMuted(member=member, organization_id=member.organization_id)
        MailMuted.objects.bulk_create([row], ignore_conflicts=True)
    else:
        MailMuted.objects.filter(member=member).delete()


def _to_webhooks(organization_id: UUID, kind: Notice.Kind, **about: Any) -> list[Notice]:
    return [
        Notice(organization_id=organization_id, kind=kind, webhook_id=pk, **about)
        for pk in _switched_on(organization_id)
    ]


def _switched_on(organization_id: UUID) -> list[UUID]:
    """Return the webhooks that are told. None of them is removed before the messages to it are stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM approvals_webhook WHERE organization_id = %s AND disabled_at IS NULL"
            " FOR KEY SHARE",
            [organization_id],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _to_mailbox(approval: Approval, kind: Notice.Kind, email: str) -> Notice:
    return Notice(organization_id=approval.organization_id, kind=kind, approval_id=approval.pk, email=email)


def _write(rows: list[Notice]) -> list[Notice]:
    for row in rows:
        row.created_at = row.due_at = timezone.now()
    written = Notice.objects.bulk_create(rows)
    ids = [str(row.pk) for row in written]
    if ids:
        transaction.on_commit(lambda: _start(ids))
    return written


def _start(ids: list[str]) -> None:
    for pk in ids:
        start("approvals.tasks.send_notice", pk)
