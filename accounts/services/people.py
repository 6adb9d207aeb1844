"""A person's own account, across organizations."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Membership, User
from accounts.services.members import LAST_OWNER, leave
from accounts.services.organizations import memberships_of
from accounts.tenancy import organization_context
from common.errors import Conflict


@transaction.atomic
def delete_account(user: User) -> None:
    """Leaves every organization, then the person is gone. What they did stays in the audit events."""
    for membership in memberships_of(user):
        with organization_context(membership.organization_id):
            try:
                leave(Membership.objects.select_related("user").get(pk=membership.id))
            except Conflict as stays:
                if stays.message != LAST_OWNER:
                    raise
                raise Conflict(
                    f"You are the only owner of {membership.organization_name}. Make somebody else an owner "
                    "or delete the organization first."
                ) from None
    user.delete()
