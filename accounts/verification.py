"""Whether a person confirmed the address they sign in with. Until then little is sent in their name."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from accounts.models import Membership, User


def is_verified(member: Membership) -> bool:
    return has_confirmed(member.user)


def has_confirmed(user: User) -> bool:
    confirmed = EmailAddress.objects.filter(user_id=user.pk, verified=True)
    return bool(confirmed.filter(email__iexact=user.email).exists())
