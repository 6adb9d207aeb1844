"""The verbs of accounts. The screens and the REST API both call these."""

from accounts.services.keys import create_api_key, member_of_key, note_use, revoke_api_key
from accounts.services.organizations import (
    MembershipName,
    found_organization,
    memberships_of,
    rename_organization,
)

__all__ = [
    "MembershipName",
    "create_api_key",
    "found_organization",
    "member_of_key",
    "memberships_of",
    "note_use",
    "rename_organization",
    "revoke_api_key",
]
