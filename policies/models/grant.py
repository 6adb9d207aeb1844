from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned, TenantQuerySet
from common.ids import new_uuid, public_id


class GrantQuerySet(TenantQuerySet["Grant"]):
    def good(self, now: datetime | None = None) -> GrantQuerySet:
        """Returns the grants that a client can call with now."""
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
        return self.filter(alive, revoked_at=None, server__retired_at=None)


class Grant(OrganizationOwned):
    """One agent's access to one server under one policy. Its token is shown once; its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="grants")
    policy = models.ForeignKey("policies.Policy", null=True, on_delete=models.PROTECT, related_name="grants")
    label = models.CharField(max_length=80)
    token_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12, help_text="The token's first characters, to tell tokens apart.")
    rotated_at = models.DateTimeField(null=True, blank=True)
    rotated_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    earlier_hash = models.CharField(max_length=64, blank=True, help_text="The one before, while good.")
    earlier_until = models.DateTimeField(null=True, blank=True)
    earlier_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    holder = models.ForeignKey("accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+")
    issued_at = models.DateTimeField(default=timezone.now)
    issued_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = GrantQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization", "-issued_at"])]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return public_id("grt", self.id)

    @property
    def known_to(self) -> set[UUID]:
        """The memberships that hold it or were shown a token of it, and so could have made its calls."""
        earlier = self.earlier_by_id if self.overlaps else None
        return {pk for pk in (self.holder_id, self.issued_by_id, self.rotated_by_id, earlier) if pk}

    @property
    def overlaps(self) -> bool:
        """True if the token from before the last rotation still works."""
        return self.earlier_until is not None and self.earlier_until > timezone.now()

    @property
    def state(self) -> str:
        """`active`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "active"
