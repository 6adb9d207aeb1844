from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid, public_id


class ApiKey(OrganizationOwned):
    """Acts as its maker, within its scopes, and ends with the membership. Only its SHA-256 is stored."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    member = models.ForeignKey("accounts.Membership", on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    key_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12, help_text="The first characters, to tell keys apart.")
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id("key", self.id)

    def is_good(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired
