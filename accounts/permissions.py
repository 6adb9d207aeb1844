"""Permissions of each role. A refusal names the role that would be enough, and how many people have it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from django.core.exceptions import ObjectDoesNotExist

from accounts.models import Membership, Role
from accounts.sessions import is_signed_in_still
from common.errors import NotAllowed, NotFound


class May(StrEnum):
    """Acts, named so that "<act> needs the <role> role" reads as a sentence."""

    READ = "Reading this"
    EDIT_POLICIES = "Editing policies"
    PUBLISH = "Publishing policies"
    MANAGE_SERVERS = "Registering and changing servers"
    ISSUE_GRANTS = "Issuing and revoking grants"
    MOVE_GRANTS = "Putting grants under another policy"
    READ_KEYS = "Seeing API keys"
    MAKE_KEYS = "Making API keys"
    REVOKE_KEYS = "Revoking API keys"
    CHANGE_SECURITY = "Changing security settings"
    APPROVE = "Approving and declining calls"
    READ_ARGUMENTS = "Reading the arguments of waiting calls"
    READ_WEBHOOKS = "Seeing webhooks"
    MANAGE_WEBHOOKS = "Managing webhooks"
    READ_INVITATIONS = "Seeing invitations"
    READ_ADDRESSES = "Seeing the network addresses in audit events"
    MANAGE_MEMBERS = "Inviting and changing members"
    CHANGE_OWNERS = "Changing owners"
    CHANGE_ORGANIZATION = "Renaming the organization"
    DELETE_ORGANIZATION = "Deleting the organization"


_LEAST: dict[May, Role] = {
    May.READ: Role.VIEWER,
    May.EDIT_POLICIES: Role.POLICY_MANAGER,
    May.PUBLISH: Role.POLICY_MANAGER,
    May.MANAGE_SERVERS: Role.ADMIN,
    May.ISSUE_GRANTS: Role.ADMIN,
    May.MOVE_GRANTS: Role.POLICY_MANAGER,
    May.READ_KEYS: Role.ADMIN,
    May.MAKE_KEYS: Role.ADMIN,
    May.REVOKE_KEYS: Role.ADMIN,
    May.CHANGE_SECURITY: Role.OWNER,
    May.APPROVE: Role.POLICY_MANAGER,
    May.READ_ARGUMENTS: Role.POLICY_MANAGER,
    May.READ_WEBHOOKS: Role.ADMIN,
    May.MANAGE_WEBHOOKS: Role.ADMIN,
    May.READ_INVITATIONS: Role.ADMIN,
    May.READ_ADDRESSES: Role.ADMIN,
    May.MANAGE_MEMBERS: Role.ADMIN,
    May.CHANGE_OWNERS: Role.OWNER,
    May.CHANGE_ORGANIZATION: Role.OWNER,
    May.DELETE_ORGANIZATION: Role.OWNER,
}
_RANK = {Role.VIEWER: 0, Role.POLICY_MANAGER: 1, Role.ADMIN: 2, Role.OWNER: 3}

# Only for people who are signed in: an API key never makes keys, whatever its scopes.
_NO_KEY = ""
# The scope that an API key needs for each act; None if any key will do.
_SCOPE: dict[May, str | None] = {
    May.READ: None,
    May.EDIT_POLICIES: "policies:write",
    May.PUBLISH: "policies:write",
    May.MANAGE_SERVERS: "servers:write",
    May.ISSUE_GRANTS: "grants:write",
    May.MOVE_GRANTS: "grants:write",
    May.READ_KEYS: "keys:read",
    May.MAKE_KEYS: _NO_KEY,
    May.REVOKE_KEYS: "keys:write",
    May.CHANGE_SECURITY: "organization:write",
    May.APPROVE: "approvals:write",
    May.READ_ARGUMENTS: "approvals:read",
    May.READ_WEBHOOKS: "webhooks:read",
    May.MANAGE_WEBHOOKS: "webhooks:write",
    May.READ_INVITATIONS: "members:read",
    May.READ_ADDRESSES: "logs:read",
    May.MANAGE_MEMBERS: "members:write",
    May.CHANGE_OWNERS: "members:write",
    May.CHANGE_ORGANIZATION: "organization:write",
    May.DELETE_ORGANIZATION: _NO_KEY,
}

SCOPES = (
    "servers:read",
    "servers:write",
    "policies:read",
    "policies:write",
    "grants:read",
    "grants:write",
    "approvals:read",
    "approvals:write",
    "members:read",
    "members:write",
    "keys:read",
    "keys:write",
    "webhooks:read",
    "webhooks:write",
    "organization:read",
    "organization:write",
    "logs:read",
)


def may(member: Membership, act: May) -> bool:
    if _RANK[Role(member.role)] < _RANK[_LEAST[act]]:
        return False
    scope = _SCOPE[act]
    return member.acting_key is None or scope is None or covers(member.acting_key.scopes, scope)


def covers(scopes: Collection[str], scope: str) -> bool:
    """Writing includes reading."""
    return scope in scopes or scope.replace(":read", ":write") in scopes


def able(act: May) -> list[Role]:
    """The roles whose members may do it."""
    return _at_least(_LEAST[act])


def require(member: Membership, act: May) -> None:
    """Raise NotAllowed, with the sentence to show, unless the member may do this."""
    if may(member, act):
        return
    least = _LEAST[act]
    if _RANK[Role(member.role)] >= _RANK[least]:
        if _SCOPE[act] == _NO_KEY:
            raise NotAllowed(
                f"{act} is for people who are signed in: no API key can do it, whatever its scopes."
            )
        raise NotAllowed(f"{act} needs the scope {_SCOPE[act]}, which this API key does not have.")
    helpers = Membership.objects.visible_to(member).filter(role__in=_at_least(least)).count()
    who = "1 person can help" if helpers == 1 else f"{helpers} people can help"
    raise NotAllowed(
        f"{act} needs the {least.label.lower()} role. Yours is {member.get_role_display().lower()}; {who}."
    )


def require_still(member: Membership, act: May) -> None:
    """Like `require`, once a lock is held: while waiting for it the member's role may have changed."""
    see_again(member)
    require(member, act)


def see_again(member: Membership) -> None:
    """Reload the member. Raise if they are gone, or if their API key or session is no longer valid."""
    key, session = member.acting_key, member.acting_session
    try:
        member.refresh_from_db(fields=["role"])
        if key is not None:
            key.refresh_from_db(fields=["revoked_at"])
    except ObjectDoesNotExist:
        raise NotFound from None
    if key is not None and not key.is_good():
        raise NotAllowed("This API key has expired or was revoked meanwhile. Nothing was done.")
    if session is not None and not is_signed_in_still(session, member.user_id):
        raise NotAllowed("You were signed out meanwhile. Nothing was done.")


def _at_least(least: Role) -> list[Role]:
    return [role for role, rank in _RANK.items() if rank >= _RANK[least]]
