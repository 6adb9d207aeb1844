"""Telling people, noting what is over, erasing what need not be kept. Run twice, each does it once."""

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
    """What a lost message left behind, and what is to be tried again."""
    for notice_id in sending.due():
        start("approvals.tasks.send_notice", str(notice_id))


@shared_task
def note_expired() -> None:
    """Also where no gateway asks for news: people see it, and history says when."""
    while expire_due() == MOST_NEWS:
        pass


@shared_task
def erase_arguments() -> None:
    while arguments.erase_old() == arguments.AT_ONCE:
        pass
    sending.forget_old()
