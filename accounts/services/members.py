"""Who belongs, and as what. Owners are changed by owners alone, and the last one stays.

Every verb holds the organization's row first and reads both people anew behind it: of two owners who demote
each other at once, the second is refused.
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
    """Whoever may manage members may also step down, short of leaving the organization without an owner."""
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
    """Their API keys die with the membership; grants they hold go on."""
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
    """What it takes to touch somebody of, or to give, these roles."""
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
