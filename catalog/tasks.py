"""Mails visitors' messages to whoever runs the product. Safe to run twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from catalog.models import ContactMessage
from common.starting import start

logger = logging.getLogger(__name__)


@shared_task
def sweep_messages() -> None:
    """Send what a lost task left behind, and what a mail server refused, unless staff have answered it. In
    random order, so that messages that it always refuses keep no others waiting."""
    if not settings.CONTACT_EMAIL:
        return
    unsent = ContactMessage.objects.filter(mailed_at=None, answered_at=None)
    for message_id in unsent.order_by("?").values_list("pk", flat=True)[:100]:
        start("catalog.tasks.mail_message", str(message_id))


@shared_task
def mail_message(message_id: str) -> None:
    """Safe to run twice: a message that was mailed is marked."""
    if not settings.CONTACT_EMAIL:
        return
    with transaction.atomic():
        message = (
            ContactMessage.objects.select_for_update()
            .filter(pk=int(message_id), mailed_at=None, answered_at=None)
            .first()
        )
        if message is None:
            return
        try:
            _mail(message)
        except OSError as problem:
            # The mail server's own message may contain addresses, so it is not logged.
            logger.warning(
                "the mail server (EMAIL_URL) did not take a visitor's message (%s); it is tried again",
                type(problem).__name__,
            )
            return
        message.mailed_at = timezone.now()
        message.save(update_fields=["mailed_at"])


def _mail(message: ContactMessage) -> None:
    about = " ".join(message.about.split())[:100] or "PolicyLayer"
    EmailMessage(
        f"Message about {about}",
        message.message,
        None,
        [settings.CONTACT_EMAIL],
        reply_to=[message.email],
    ).send()
