from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid, public_id

if TYPE_CHECKING:
    from accounts.models.api_key import ApiKey


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    POLICY_MANAGER = "policy_manager", "Policy manager"
    VIEWER = "viewer", "Viewer"


class Organization(models.Model):
    """The tenant. Its row is visible only inside its own context: see `accounts.tenancy`."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=timezone.now)
    lease_seconds = models.PositiveIntegerField(
        default=86_400, help_text="How long a gateway worker cut off from us goes on enforcing, in seconds."
    )
    explain_denials = models.BooleanField(
        default=False, help_text="Tell agents which rule denied them and what would be allowed."
    )
    approval_seconds = models.PositiveIntegerField(
        default=900, help_text="How long a call waits for a person, in seconds."
    )
    self_approval = models.BooleanField(
        null=True,
        default=None,
        help_text="May people approve calls of grants they hold? Unset: only while nobody else could.",
    )
    log_retention_days = models.PositiveSmallIntegerField(
        default=30, help_text="How long decisions are kept, in days; counts are kept longer."
    )
    kept_arguments = models.JSONField(
        default=list, blank=True, help_text="Paths of arguments whose values the log keeps, sealed."
    )
    onboarding_hidden_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Membership(OrganizationOwned):
    """One person in one organization: the asker of every request."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    joined_at = models.DateTimeField(default=timezone.now)

    # Set only on the instance made for one request: the API key or the session that it came with.
    acting_key: ApiKey | None = None
    acting_session: str | None = None

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="one_membership_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"

    @property
    def public_id(self) -> str:
        return public_id("mem", self.id)
