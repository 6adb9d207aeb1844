"""Tasks that send notices, note expired approvals and erase old arguments. Each may safely run twice."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from approvals import arguments, sending
from approvals.claims import MOST_NEWS, expire_due
from common.starting import start


@shared_task
def send_notice(notice_id: str) -> None:
    sending.send(UUID(notice_id))


@shared_task
def sweep_notices() -> None:
    """Start notices whose task message was lost, and those due to be tried again."""
    for notice_id in sending.due():
        start("approvals.tasks.send_notice", str(notice_id))


@shared_task
def note_expired() -> None:
    """Note expired approvals even if no gateway asks for news: people see them, and history says when."""
    while expire_due() == MOST_NEWS:
        pass


@shared_task
def erase_arguments() -> None:
    while arguments.erase_old() == arguments.AT_ONCE:
        pass
    sending.forget_old()
