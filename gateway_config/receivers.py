"""Signal receivers: every change is recorded in the transaction that makes it."""

from __future__ import annotations

from uuid import UUID

from django.dispatch import receiver

from common.events import config_changed, organization_closed
from gateway_config.closing import close_organization
from gateway_config.services import request_publish


@receiver(config_changed, dispatch_uid="outbox")
def write_to_outbox(organization_id: UUID, **_: object) -> None:
    request_publish(organization_id)


@receiver(organization_closed, dispatch_uid="closing")
def write_down_the_closing(organization_id: UUID, **_: object) -> None:
    close_organization(organization_id)
