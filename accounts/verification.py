"""Whether a person confirmed the address they sign in with. Until then little is sent in their name."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from accounts.models import Membership


def is_verified(member: Membership) -> bool:
    confirmed = EmailAddress.objects.filter(user_id=member.user_id, verified=True)
    return bool(confirmed.filter(email__iexact=member.user.email).exists())
