"""A person's own account, across organizations."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Membership, User
from accounts.services.members import LAST_OWNER, is_sole_owner, leave
from accounts.services.organizations import memberships_of
from accounts.tenancy import organization_context
from common.errors import Conflict
from common.held import held


def only_owner_of(user: User) -> list[str]:
    """Return the names of the organizations they cannot leave, as the only owner."""
    found = []
    for membership in memberships_of(user):
        with organization_context(membership.organization_id):
            if is_sole_owner(Membership.objects.get(pk=membership.id)):
                found.append(membership.organization_name)
    return found


@transaction.atomic
def delete_account(user: User) -> None:
    """Leave every organization, then delete the person. Audit events of what they did are kept."""
    # Locked first, as when joining an organization: their memberships stay the same until they are gone.
    held(User.objects.select_for_update().filter(pk=user.pk))
    for membership in memberships_of(user):
        with organization_context(membership.organization_id):
            try:
                leave(Membership.objects.select_related("user").get(pk=membership.id))
            except Conflict as stays:
                if stays.message != LAST_OWNER:
                    raise
                raise Conflict(
                    f"You are the only owner of {membership.organization_name}. Make someone else an owner "
                    "or delete the organization first."
                ) from None
    user.delete()
