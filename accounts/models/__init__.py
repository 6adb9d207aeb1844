from accounts.models.api_key import ApiKey
from accounts.models.audit_event import AuditEvent
from accounts.models.idempotent_answer import IdempotentAnswer
from accounts.models.invitation import Invitation
from accounts.models.limits import OrganizationLimits
from accounts.models.organization import Membership, Organization, Role
from accounts.models.user import User

__all__ = [
    "ApiKey",
    "AuditEvent",
    "IdempotentAnswer",
    "Invitation",
    "Membership",
    "Organization",
    "OrganizationLimits",
    "Role",
    "User",
]
