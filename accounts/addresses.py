"""E-mail addresses that are added only once the link sent to them has been opened. This applies to people who
have a second sign-in step, or who have not confirmed their own address yet.

Added unconfirmed to an account with a second step, an address would lock its real owner out for good: they
could not sign up with it, and resetting the password, which they can do, would not be enough to get in and
remove it. Added to an account whose own address is unconfirmed, it would be a way back in for someone who
signed up with another person's address.
"""

from __future__ import annotations

from typing import Final

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User

_SALT: Final = "accounts.addresses"


def send_link(request: HttpRequest, user: User, email: str) -> None:
    if not ratelimit.consume(request, action="confirm_email", key=email):
        messages.info(request, f"A link went to {email} a few minutes ago. Open that one.")
        return
    key = signing.dumps([str(user.pk), email], salt=_SALT)
    link = reverse("add-address", args=[key])
    get_adapter().send_mail("account/email/address_asked", email, {"activate_url": link, "user": user})
    messages.info(
        request, f"A link is on its way to {email}. The address appears here once you have opened it."
    )


def asked_for(user: User, key: str) -> EmailAddress | None:
    """Return the address the link would add; None if it is damaged, expired, used or another person's."""
    days = app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS
    try:
        owner, email = signing.loads(key, salt=_SALT, max_age=days * 86_400)
    except signing.BadSignature:
        return None
    if owner != str(user.pk) or EmailAddress.objects.filter(user=user, email=email).exists():
        return None
    return EmailAddress(user=user, email=email)
