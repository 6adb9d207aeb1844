from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models.organization import Role
from accounts.tenancy import OrganizationOwned, TenantQuerySet
from common.ids import new_uuid, public_id


class InvitationQuerySet(TenantQuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        """Select those neither accepted nor withdrawn. Unlike the state `open`, expired ones are included."""
        return self.filter(accepted_at=None, withdrawn_at=None)


class Invitation(OrganizationOwned):
    """Lets whoever holds the link join an organization, once. Only the SHA-256 of its token is stored."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    invited_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)
    sent_times = models.PositiveSmallIntegerField(default=1)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by_email = models.CharField(max_length=254, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = InvitationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation_per_address",
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return public_id("inv", self.id)

    @property
    def state(self) -> str:
        """`open`, `expired`, `accepted` or `withdrawn`."""
        if self.accepted_at is not None:
            return "accepted"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "open" if self.expires_at > timezone.now() else "expired"
