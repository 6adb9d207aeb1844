"""Checks that a person confirmed the address they sign in with. Until then little is sent in their name."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import QuerySet

from accounts.models import Membership, User
from common.spelt_once import spelt_once


def is_verified(member: Membership) -> bool:
    return has_confirmed(member.user)


def has_confirmed(user: User, address: str = "") -> bool:
    """Return whether the given address is confirmed, or else the one that messages go to."""
    return bool(_confirmed(user.pk, address or user.email))


@spelt_once
def _confirmed(user_id: UUID, email: str) -> QuerySet[EmailAddress, tuple[int]]:
    found: QuerySet[EmailAddress] = EmailAddress.objects.filter(user_id=user_id, verified=True)
    return found.filter(email__iexact=email).order_by().values_list("pk")[:1]
