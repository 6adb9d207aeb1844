"""Usage limits of an organization: how much it may have of each thing, and how much it has.

The apps above this one register how to count what is theirs; the usage page shows all of it in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from django.db import connection, transaction

from accounts.audit import record_operators_event
from accounts.models import Invitation, Membership, Organization, OrganizationLimits
from accounts.permissions import May
from accounts.services.organizations import locked
from accounts.tenancy import APP_ROLE, WORKER_ROLE, Asker, become, organization_context
from accounts.verification import is_verified
from common.errors import LimitReached, NotFound
from common.events import config_changed
from common.ids import public_id


class Limit(StrEnum):
    """The names of the columns of `OrganizationLimits`."""

    SERVERS = "servers"
    GRANTS = "grants"
    POLICIES = "policies"
    MEMBERS = "members"
    CALLS_PER_SECOND = "calls_per_second"
    STREAMS = "streams"
    SCANS_PER_HOUR = "scans_per_hour"
    STORED_RECORDS = "stored_records"


WORDS: Final = {
    Limit.SERVERS: "Servers",
    Limit.GRANTS: "Grants that work",
    Limit.POLICIES: "Policies",
    Limit.MEMBERS: "Members and open invitations",
    Limit.CALLS_PER_SECOND: "Calls a second, on each gateway",
    Limit.STREAMS: "Open requests of one grant, on each gateway",
    Limit.SCANS_PER_HOUR: "Scans in this hour",
    Limit.STORED_RECORDS: "Decisions kept",
}
DEFAULTS: Final = {
    Limit.SERVERS: 500,
    Limit.GRANTS: 10_000,
    Limit.POLICIES: 1_000,
    Limit.MEMBERS: 500,
    Limit.CALLS_PER_SECOND: 2_000,
    Limit.STREAMS: 256,
    Limit.SCANS_PER_HOUR: 240,
    Limit.STORED_RECORDS: 5_000_000,
}
_REMOVE: Final = "Remove what is no longer used."
# Revisions refer to policies for ever, so a policy goes with its server only.
_FREES: Final = {Limit.POLICIES: "Those of retired servers do not count."}
# Until the address is confirmed.
SERVERS_UNCONFIRMED: Final = 3
CALLS_A_MINUTE_UNCONFIRMED: Final = 100

Count: TypeAlias = Callable[[Asker], int]
_counts: dict[Limit, Count] = {}


@dataclass(frozen=True, slots=True)
class Usage:
    """`used` is None for what changes too quickly to be counted here."""

    words: str
    used: int | None
    most: int

    @property
    def is_near(self) -> bool:
        return self.used is not None and self.used >= self.most * 0.9


def counted(limit: Limit, count: Count) -> None:
    _counts[limit] = count


def most(organization_id: UUID, limit: Limit) -> int:
    row = OrganizationLimits.objects.filter(organization_id=organization_id)
    return row.values_list(limit.value, flat=True).first() or DEFAULTS[limit]


def leave_room(by: Membership, limit: Limit, act: May) -> None:
    """Require room for one more. Locks the organization: of two requests for the last place, one gets it.

    `act`: what the asker must still be allowed to do once the lock is held.
    """
    locked(by, act)
    used, there_may_be = _counts[limit](by), most(by.organization_id, limit)
    if limit is Limit.SERVERS and used >= SERVERS_UNCONFIRMED and not is_verified(by):
        raise LimitReached(
            f"Until you confirm your e-mail address you may have at most {SERVERS_UNCONFIRMED} servers. "
            "Follow the link in the mail, or have it sent again from your account."
        )
    if used >= there_may_be:
        raise LimitReached(
            f"{WORDS[limit]}: there are {used}, the most allowed. {_FREES.get(limit, _REMOVE)}"
        )


def see_that_one_more_joins(organization: Organization) -> None:
    """Require room for one more member: there may be less than when the invitation was sent.

    The caller holds the organization's lock.
    """
    if Membership.objects.filter(organization=organization).count() >= most(organization.pk, Limit.MEMBERS):
        raise LimitReached(
            f"{organization.name} has as many members as it may have. Ask whoever invited you to "
            "make room; the link stays valid."
        )


def usage(member: Membership) -> list[Usage]:
    row = OrganizationLimits.objects.visible_to(member).first()
    return [
        Usage(
            WORDS[limit],
            _counts[limit](member) if limit in _counts else None,
            getattr(row, limit.value, None) or DEFAULTS[limit],
        )
        for limit in Limit
    ]


@transaction.atomic
def set_limits(organization_id: UUID, changed: Mapping[Limit, int | None]) -> None:
    """Change limits, for whoever runs the product; None restores the default. Recorded in the audit log."""
    become(WORKER_ROLE)
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    values = {limit.value: most for limit, most in changed.items()}
    OrganizationLimits.objects.update_or_create(organization=organization, defaults=values)
    # Gateways enforce some of them.
    config_changed.send(sender=OrganizationLimits, organization_id=organization_id)
    become(APP_ROLE)
    with organization_context(organization_id):
        subject = public_id("org", organization_id)
        record_operators_event(
            organization_id, "organization.limits_changed", subject, organization.name, **values
        )


def is_confirmed(organization_id: UUID) -> bool:
    """Return whether one of its owners has confirmed their address. Works for askers that see no members."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_is_confirmed(%s)", [organization_id])
        (confirmed,) = cursor.fetchone()
    return bool(confirmed)


def _members(asker: Asker) -> int:
    invited = Invitation.objects.visible_to(asker).open().count()
    return Membership.objects.visible_to(asker).count() + invited


counted(Limit.MEMBERS, _members)
