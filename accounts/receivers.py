"""An address that is confirmed widens what its owner's organizations may do: their gateways are told."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.dispatch import receiver

from accounts.models import Organization, Role
from accounts.services.organizations import memberships_of
from accounts.tenancy import organization_context
from common.events import config_changed


@receiver(email_confirmed, dispatch_uid="limits")
def tell_the_gateways(email_address: EmailAddress, **_: Any) -> None:
    for membership in memberships_of(email_address.user):
        if membership.role == Role.OWNER:
            with organization_context(membership.organization_id):
                config_changed.send(sender=Organization, organization_id=membership.organization_id)
