from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid


class AuditEvent(OrganizationOwned):
    """Something that a person or their API key changed. Written by `accounts.audit`, never modified."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor_email = models.CharField(max_length=254)
    actor_member_id = models.UUIDField(null=True)
    actor_key_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True, help_text="The network address it was done from.")
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=60, help_text="Prefixed id of what was changed.")
    subject_name = models.CharField(max_length=256, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization", "-at"])]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"
