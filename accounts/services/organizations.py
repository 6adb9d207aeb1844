"""Organizations: founding, renaming and locking them, and listing a person's memberships from outside."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from accounts.audit import record_event
from accounts.models import Membership, Organization, Role, User
from accounts.permissions import May, require, require_still
from accounts.tenancy import organization_context
from common.errors import InvalidInput, LimitReached
from common.held import held
from common.ids import new_uuid, public_id

MOST_OWNED: Final = 10


@dataclass(frozen=True, slots=True)
class MembershipName:
    """What is known about a membership before its organization is entered."""

    id: UUID
    organization_id: UUID
    organization_name: str
    role: str


def found_organization(owner: User, name: str) -> Membership:
    """Create an organization and its first owner, in one transaction."""
    organization = Organization(id=new_uuid(), name=_tidy(name) or "My organization")
    with organization_context(organization.pk):
        organization.save(force_insert=True)
        member = Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
        record_event(member, "organization.founded", public_id("org", organization.pk), organization.name)
    return member


@transaction.atomic
def found_another(owner: User, name: str) -> Membership:
    """Found a further organization. Locks the person: of two requests for the last place, one gets it."""
    held(User.objects.select_for_update(no_key=True).filter(pk=owner.pk))
    owned = sum(membership.role == Role.OWNER for membership in memberships_of(owner))
    if owned >= MOST_OWNED:
        raise LimitReached(f"You own {MOST_OWNED} organizations, the most one person may own.")
    return found_organization(owner, name)


@transaction.atomic
def rename_organization(by: Membership, name: str) -> Organization:
    require(by, May.CHANGE_ORGANIZATION)
    tidy = _tidy(name)
    if not tidy:
        raise InvalidInput({"name": "Give it a name your team will recognise."})
    organization = locked(by, May.CHANGE_ORGANIZATION)
    if organization.name != tidy:
        before, organization.name = organization.name, tidy
        organization.save(update_fields=["name"])
        record_event(by, "organization.renamed", public_id("org", organization.pk), tidy, before=before)
    return organization


def memberships_of(user: User) -> list[MembershipName]:
    """List them through a SECURITY DEFINER function: the organization is not known yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT membership_id, organization_id, organization_name, role FROM accounts_memberships_of(%s)",
            [user.pk],
        )
        return [MembershipName(*row) for row in cursor.fetchall()]


def locked(by: Membership, act: May | None = None) -> Organization:
    """Lock the asker's organization until the transaction ends: its members change one at a time.

    `act`: what the asker must still be allowed to do once the lock is held.
    """
    # Without its key: rows that refer to it, such as the records of gateways, are stored meanwhile.
    organization = held(Organization.objects.select_for_update(no_key=True).filter(pk=by.organization_id))
    if act is not None:
        require_still(by, act)
    return organization


def _tidy(name: str) -> str:
    """Remove invisible characters: the name appears in mails and is shown to people who are invited."""
    seen = "".join(each for each in name if each.isspace() or unicodedata.category(each)[0] != "C")
    return " ".join(seen.split())[:80].strip()
