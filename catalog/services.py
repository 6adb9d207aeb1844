"""The verbs of the catalogue's inbox."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from catalog.models import CatalogTool, ContactMessage, LabelReport
from common.errors import Conflict, NotFound
from common.starting import start


@transaction.atomic
def send_message(email: str, about: str, message: str) -> None:
    """The message is stored first and mailed afterwards: a mail server that is down loses nothing."""
    kept = ContactMessage.objects.create(email=email, about=about, message=message)
    transaction.on_commit(lambda: start("catalog.tasks.mail_message", str(kept.pk)))


@transaction.atomic
def mark_answered(message_id: int, by: str) -> None:
    message = ContactMessage.objects.select_for_update().filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message.")
    if message.answered_at is not None:
        raise Conflict("Someone has already answered this message.")
    message.answered_at, message.answered_by = timezone.now(), by
    message.save(update_fields=["answered_at", "answered_by"])


def report_label(server: str, tool: str, should_be: str, why: str) -> LabelReport:
    found = CatalogTool.objects.filter(server__slug=server, slug=tool, removed_at=None).first()
    if found is None:
        raise NotFound("There is no such tool.")
    open_already = LabelReport.objects.filter(
        server=server, tool=tool, should_be=should_be, state=LabelReport.State.OPEN
    ).first()
    return open_already or LabelReport.objects.create(
        server=server, tool=tool, label=found.tool_class, should_be=should_be, why=why
    )


@transaction.atomic
def settle_report(report_id: int, state: str, by: str) -> LabelReport:
    report = LabelReport.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.")
    if report.state != LabelReport.State.OPEN:
        raise Conflict("Someone has already settled this report.")
    report.state, report.settled_at, report.settled_by = state, timezone.now(), by
    report.save(update_fields=["state", "settled_at", "settled_by"])
    return report
