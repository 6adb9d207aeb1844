from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from accounts.models import AuditEvent, Membership

# The actor in the audit log for commands used by whoever runs the product.
OPERATOR: Final = "operator"


def record_event(by: Membership, verb: str, subject: str, name: str = "", **details: Any) -> None:
    """Record what `by` did, in the caller's transaction. `details` hold no secret and no argument value."""
    AuditEvent.objects.create(
        organization_id=by.organization_id,
        actor_email=by.user.email,
        actor_member_id=by.pk,
        actor_key_id=by.acting_key.pk if by.acting_key else None,
        verb=verb,
        subject=subject,
        subject_name=name[:256],
        details=details,
    )


def record_operators_event(
    organization_id: UUID, verb: str, subject: str, name: str = "", **details: Any
) -> None:
    """Record what was done to an organization from the command line. Called inside its context."""
    AuditEvent.objects.create(
        organization_id=organization_id,
        actor_email=OPERATOR,
        verb=verb,
        subject=subject,
        subject_name=name[:256],
        details=details,
    )
