"""Sends notices, each once, by mail or to a webhook, and tries again later if one was not accepted."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from approvals.addresses import address
from approvals.models import Approval, Notice, Webhook
from approvals.notices import addressees
from approvals.webhooks import deliver
from common import mail
from common.alone import MAILBOX, WEBHOOKS, a_place_outside, alone
from common.starting import start

Kind, State = Notice.Kind, Notice.State

OF_APPROVALS: Final = (Kind.REQUESTED, Kind.REMINDER)
# An agent that asks a hundred times a minute causes one mail, not a hundred.
REST_BETWEEN_MAILS = timedelta(seconds=60)
MOST_IN_A_MAIL: Final = 20
KEPT = timedelta(days=30)
WAITS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
REST_OF_THE_SILENT = timedelta(seconds=30)
TAKEN_UP_FOR = timedelta(seconds=60)
# A receiver that does not answer occupies one of the threads that run everyone's tasks until the timeout.
MOST_TO_WEBHOOKS: Final = 2

logger = logging.getLogger(__name__)


def send(notice_id: UUID) -> None:
    """Send one notice. Run twice, it sends once: the row is first claimed for a while."""
    notice = _taken_up(notice_id)
    if notice is None:
        return
    if notice.kind in OF_APPROVALS and (notice.approval is None or not _waits(notice.approval)):
        _end(notice, State.DROPPED)
    elif notice.webhook is not None:
        _in_its_turn(notice, notice.webhook)
    else:
        _by_mail(notice)


def due(at_most: int = 200) -> list[UUID]:
    """Return all mails due, and each organization's oldest webhook message; sending it starts the next."""
    first = _due().exclude(webhook=None).order_by("organization_id", "due_at").distinct("organization_id")
    found = _due().filter(Q(webhook=None) | Q(pk__in=first.values("pk")))
    return list(found.order_by("due_at").values_list("pk", flat=True)[:at_most])


def _due() -> QuerySet[Notice]:
    return Notice.objects.filter(state=State.WAITING, due_at__lte=timezone.now())


def forget_old() -> None:
    Notice.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _taken_up(notice_id: UUID) -> Notice | None:
    now = timezone.now()
    mine = Notice.objects.filter(pk=notice_id, state=State.WAITING, due_at__lte=now)
    if not mine.update(due_at=now + TAKEN_UP_FOR):
        return None
    return Notice.objects.select_related("approval__grant", "approval__server", "webhook").get(pk=notice_id)


def _waits(approval: Approval) -> bool:
    return approval.now is Approval.State.PENDING


def _by_mail(notice: Notice) -> None:
    """Send one mail at a time to a mailbox: two at once would each include everything waiting for it."""
    with alone(MAILBOX, f"{notice.organization_id} {notice.email}") as nobody_else:
        if nobody_else and not _rests(notice):
            _mail_what_waits(notice)
        else:
            notice.due_at = timezone.now() + REST_BETWEEN_MAILS
            notice.save(update_fields=["due_at"])


def _rests(notice: Notice) -> bool:
    mailbox = Notice.objects.filter(organization_id=notice.organization_id, email=notice.email)
    return mailbox.filter(state=State.SENT, ended_at__gt=timezone.now() - REST_BETWEEN_MAILS).exists()


def _mail_what_waits(notice: Notice) -> None:
    """Send the notice, together with others that wait for the same mailbox."""
    together = _together(notice)
    approvals = [one.approval for one in together if one.approval is not None]
    still_wanted = {email for _, email in addressees(notice.organization_id)}
    if notice.email not in still_wanted:
        _end(notice, State.DROPPED)
        return
    try:
        _mail(notice.email, approvals)
    except OSError as problem:
        # The mail server's own message may contain addresses, so it is not logged.
        logger.warning(
            "the mail server (EMAIL_URL) did not take a mail about a waiting call (%s); it is tried again",
            type(problem).__name__,
        )
        retry_later(notice, None, type(problem).__name__)
        return
    for one in together:
        one.attempts += 1
        _end(one, State.SENT)


def _together(notice: Notice) -> list[Notice]:
    others = (
        Notice.objects.filter(organization_id=notice.organization_id, email=notice.email, state=State.WAITING)
        .exclude(pk=notice.pk)
        .select_related("approval__grant", "approval__server")
        .order_by("created_at")[: MOST_IN_A_MAIL - 1]
    )
    return [notice, *(one for one in others if one.approval is not None and _waits(one.approval))]


def _mail(to: str, approvals: list[Approval]) -> None:
    context = {
        "calls": [{"approval": one, "url": address(one)} for one in approvals],
        "first": approvals[0],
        "more": len(approvals) - 1,
    }
    subject = render_to_string("approvals/emails/waiting_subject.txt", context)
    body = render_to_string("approvals/emails/waiting.txt", context)
    mail.send(subject, body, to, action="Look at the call")


def _in_its_turn(notice: Notice, webhook: Webhook) -> None:
    with a_place_outside(WEBHOOKS, str(notice.organization_id), MOST_TO_WEBHOOKS) as there_is_one:
        if there_is_one:
            _to_webhook(notice, webhook)
        else:
            notice.due_at = timezone.now()
            notice.save(update_fields=["due_at"])
    if there_is_one:
        _start_next(notice.organization_id)


def _start_next(organization_id: UUID) -> None:
    """Start the oldest message of another organization, which may have found no place, and our next one."""
    waiting = _due().exclude(webhook=None).order_by("due_at").values_list("pk", flat=True)
    others = waiting.exclude(organization_id=organization_id)
    for those in (others, waiting.filter(organization_id=organization_id)):
        for pk in those[:1]:
            start("approvals.tasks.send_notice", str(pk))


def _to_webhook(notice: Notice, webhook: Webhook) -> None:
    if webhook.disabled_at is not None:
        _end(notice, State.DROPPED)
        return
    result = deliver(notice, webhook)
    notice.attempts += 1
    notice.status, notice.error = result.status, result.error
    if result.status is not None and 200 <= result.status < 300:
        _end(notice, State.SENT)
    elif result.status == 410:
        # 410 Gone is how a receiver unsubscribes.
        Webhook.objects.filter(pk=webhook.pk).update(disabled_at=timezone.now())
        _end(notice, State.FAILED)
    else:
        retry_later(notice, result.status, result.error, counted=True)
        if result.error == "timed_out":
            _let_others_go_first(notice, webhook)


def _let_others_go_first(notice: Notice, webhook: Webhook) -> None:
    """Postpone everything else due to a receiver that did not answer, instead of trying it all in turn."""
    until = timezone.now() + REST_OF_THE_SILENT
    due_before = Notice.objects.filter(webhook=webhook, state=State.WAITING, due_at__lt=until)
    due_before.exclude(kind=Kind.TEST).exclude(pk=notice.pk).update(due_at=until)


def retry_later(notice: Notice, status: int | None, error: str, *, counted: bool = False) -> None:
    notice.status, notice.error = status, error[:40]
    if not counted:
        notice.attempts += 1
    if notice.attempts > len(WAITS) or notice.kind == Kind.TEST:
        _end(notice, State.FAILED)
        return
    notice.due_at = timezone.now() + WAITS[notice.attempts - 1]
    notice.save(update_fields=["status", "error", "attempts", "due_at"])


def _end(notice: Notice, state: Notice.State) -> None:
    notice.state, notice.ended_at = state, timezone.now()
    notice.save(update_fields=["state", "ended_at", "attempts", "status", "error"])
