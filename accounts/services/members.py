"""Members and their roles. Only owners change owners, and the last owner stays.

Every verb first locks the organization's row and then reloads both people: of two owners who demote each
other at once, the second is refused.
"""

from __future__ import annotations

from django.db import transaction

from accounts.audit import record_event
from accounts.models import Membership, Role
from accounts.permissions import May, require, see_again
from accounts.services.organizations import locked
from common.errors import Conflict, InvalidInput, NotFound
from common.ids import public_id

LAST_OWNER = "An organization keeps at least one owner. Make someone else an owner first."


@transaction.atomic
def change_role(by: Membership, member: Membership, role: str) -> Membership:
    """Change a role. Members who manage others may also step down, unless that leaves no owner."""
    _enter(by, member)
    require(by, needed_for(member.role, role))
    if role not in Role.values:
        raise InvalidInput({"role": "Choose one of the roles."})
    if member.role == role:
        return member
    _keep_an_owner(member, unless=role == Role.OWNER)
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    _record(by, member, "member.role_changed", before=before, role=role)
    return member


@transaction.atomic
def remove_member(by: Membership, member: Membership) -> None:
    """End a membership. The person's API keys end with it; grants they hold keep working."""
    _enter(by, member)
    if by.pk != member.pk:
        require(by, needed_for(member.role))
    elif by.acting_key is not None:
        require(by, May.MANAGE_MEMBERS)
    _keep_an_owner(member)
    _record(by, member, "member.left" if by.pk == member.pk else "member.removed", role=member.role)
    member.delete()


def leave(by: Membership) -> None:
    remove_member(by, by)


def needed_for(*roles: str) -> May:
    """Return what it takes to give one of these roles, or to change a member who has it."""
    return May.CHANGE_OWNERS if Role.OWNER in roles else May.MANAGE_MEMBERS


def _enter(by: Membership, member: Membership) -> None:
    locked(by)
    see_again(by)
    try:
        member.refresh_from_db(fields=["role", "organization_id"])
    except Membership.DoesNotExist:
        raise NotFound from None
    if member.organization_id != by.organization_id:
        raise NotFound


def is_sole_owner(member: Membership) -> bool:
    owners = Membership.objects.visible_to(member).filter(role=Role.OWNER)
    return member.role == Role.OWNER and owners.count() == 1


def _keep_an_owner(member: Membership, *, unless: bool = False) -> None:
    if not unless and is_sole_owner(member):
        raise Conflict(LAST_OWNER)


def _record(by: Membership, member: Membership, verb: str, **details: str) -> None:
    record_event(by, verb, public_id("mem", member.pk), member.user.email, **details)
