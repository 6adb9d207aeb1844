from __future__ import annotations

import logging

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import Invitation
from common import mail

logger = logging.getLogger(__name__)


class MailNotTaken(Exception):  # noqa: N818
    """The mail server did not take it."""


def post(invitation: Invitation, token: str) -> None:
    context = {
        "invitation": invitation,
        "url": settings.PUBLIC_URL.rstrip("/") + reverse("open-invitation", args=[token]),
    }
    subject = render_to_string("settings/emails/invitation_subject.txt", context)
    body = render_to_string("settings/emails/invitation.txt", context)
    try:
        mail.send(subject, body, invitation.email, action="Look at the invitation")
    except OSError as problem:
        # The mail server's own message may contain addresses, so it is not logged.
        logger.warning("the mail server (EMAIL_URL) did not take an invitation (%s)", type(problem).__name__)
        raise MailNotTaken from None
