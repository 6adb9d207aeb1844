"""Reacts to a confirmed address, and to a password that was reset by a link in a mail.

A confirmed address may widen what its owner's organizations may do, so their gateways are told. And someone
who signed up with another person's address keeps no way into the account once that person takes it over.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, password_reset
from django.dispatch import receiver

from accounts.models import Membership, Organization, Role, User
from accounts.services.keys import revoke_keys_of
from accounts.services.organizations import memberships_of
from accounts.tenancy import organization_context
from accounts.verification import has_confirmed
from common.events import config_changed


@receiver(email_confirmed, dispatch_uid="unproven")
def take_the_place_of_what_nobody_proved(email_address: EmailAddress, **_: Any) -> None:
    """Replace an unconfirmed primary address, mistyped or another person's, by the one just confirmed."""
    unproven = EmailAddress.objects.filter(user=email_address.user, primary=True, verified=False).first()
    if unproven is not None:
        email_address.set_as_primary()
        unproven.delete()


@receiver(password_reset, dispatch_uid="unproven")
def end_the_keys_of_who_proved_nothing(user: User, **_: Any) -> None:
    if has_confirmed(user):
        return
    for membership in memberships_of(user):
        with organization_context(membership.organization_id):
            revoke_keys_of(Membership.objects.select_related("user").get(pk=membership.id))


@receiver(email_confirmed, dispatch_uid="limits")
def tell_the_gateways(email_address: EmailAddress, **_: Any) -> None:
    for membership in memberships_of(email_address.user):
        if membership.role == Role.OWNER:
            with organization_context(membership.organization_id):
                config_changed.send(sender=Organization, organization_id=membership.organization_id)
