"""The one receiver of news: what changed is written down in the transaction that changed it."""

from __future__ import annotations

from uuid import UUID

from django.dispatch import receiver

from common.events import config_changed
from gateway_config.services import request_publish


@receiver(config_changed, dispatch_uid="outbox")
def write_to_outbox(organization_id: UUID, **_: object) -> None:
    request_publish(organization_id)
