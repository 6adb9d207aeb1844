"""Reacts to changes in the apps below, in the same transaction: closes calls that can no longer be approved,
and tells webhooks."""

from __future__ import annotations

from uuid import UUID

from django.dispatch import receiver

from approvals.models import Notice
from approvals.notices import tell
from approvals.services import close_void
from common.events import config_changed, happened


@receiver(config_changed, dispatch_uid="approvals")
def close_what_waits(organization_id: UUID, **_: object) -> None:
    close_void(organization_id)


@receiver(happened, dispatch_uid="webhooks")
def tell_webhooks(organization_id: UUID, kind: str, data: dict[str, object], **_: object) -> None:
    tell(organization_id, Notice.Kind(kind), data)
