"""Whether a person confirmed the address they sign in with. Until then little is sent in their name."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from accounts.models import Membership, User


def is_verified(member: Membership) -> bool:
    return has_confirmed(member.user)


def has_confirmed(user: User, address: str = "") -> bool:
    """The address given, or the one that messages go to."""
    confirmed = EmailAddress.objects.filter(user_id=user.pk, verified=True)
    return bool(confirmed.filter(email__iexact=address or user.email).exists())
