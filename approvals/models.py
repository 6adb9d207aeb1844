from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned, TenantQuerySet
from common.ids import new_uuid, public_id


class ApprovalQuerySet(TenantQuerySet["Approval"]):
    def waiting(self, now: datetime | None = None) -> ApprovalQuerySet:
        return self.filter(state=Approval.State.PENDING, expires_at__gt=now or timezone.now())

    def over(self) -> ApprovalQuerySet:
        """Select those whose time limit has ended and has not been noted yet."""
        alive = (Approval.State.PENDING, Approval.State.APPROVED)
        return self.filter(state__in=alive, expires_at__lte=timezone.now())


class Approval(OrganizationOwned):
    """One call that a person was asked about. It is valid for exactly that call, once, for a limited time.

    The arguments are sealed, and erased some days after the end; the digest is kept.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        EXPIRED = "expired", "Expired"
        USED = "used", "Approved and sent"
        SUPERSEDED = "superseded", "Void"

    class Because(models.TextChoices):
        """Why an approval became void."""

        RULES = "rules", "the policy changed"
        TOOL = "tool", "the tool changed"
        GRANT = "grant", "the grant was revoked"
        TOKEN = "token", "the grant’s token was changed"
        SERVER = "server", "the server was retired"
        RESTORED = "restored", "the database was restored from a backup"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    position = models.BigIntegerField(
        unique=True, null=True, editable=False, help_text="Rises with every change, in the order of commits."
    )
    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="+")
    grant = models.ForeignKey("policies.Grant", on_delete=models.CASCADE, related_name="approvals")
    grant_token = models.CharField(max_length=64, help_text="Hash of the grant's token when it was asked.")
    tool = models.CharField(max_length=2048)
    call_digest = models.CharField(max_length=64)
    rules_digest = models.CharField(max_length=64)
    tool_digest = models.CharField(max_length=64, blank=True)
    policy_revision_id = models.UUIDField(null=True)
    rule = models.CharField(max_length=700)
    reason = models.TextField()
    sealed = models.TextField(blank=True, help_text="The arguments; empty once erased.")
    elicited = models.BooleanField(default=False, help_text="The client itself shows the page to its user.")

    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    standing = models.BooleanField(
        default=True, help_text="What the identical call meets next. At most one of it stands."
    )
    because = models.CharField(max_length=8, choices=Because.choices, blank=True)
    called_at = models.DateTimeField(help_text="By the gateway's clock.")
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text="Of the state it is in; at this very moment it is over.")
    ended_at = models.DateTimeField(null=True)
    asked_by = models.UUIDField(help_text="The decision that asked; what is held of limits has its name.")
    reserved_by = models.UUIDField()
    used_by = models.UUIDField(null=True, help_text="The one decision that may send the call.")
    given_back_by = ArrayField(
        models.UUIDField(), default=list, db_default=[], help_text="Decisions that had it and sent nothing."
    )

    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    answered_by_email = models.CharField(max_length=254, blank=True)
    answered_by_key = models.UUIDField(null=True)
    note = models.CharField(max_length=300, blank=True)

    objects: ClassVar = ApprovalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "call_digest"],
                condition=models.Q(standing=True),
                name="one_standing_approval_per_call",
            )
        ]
        indexes: ClassVar = [
            # Counting and paging through answered calls reads only this index.
            models.Index(
                fields=["organization", "-asked_at", "-id"],
                include=["state", "expires_at"],
                name="answered_in_order",
            ),
            models.Index(fields=["organization", "-position"]),
            models.Index(fields=["grant", "-asked_at"]),
            models.Index(
                fields=["expires_at"],
                name="approvals_that_will_be_over",
                condition=models.Q(state__in=["pending", "approved"]),
            ),
            models.Index(fields=["used_by"], condition=models.Q(used_by__isnull=False), name="used_once"),
            models.Index(fields=["ended_at"], condition=~models.Q(sealed=""), name="arguments_to_be_erased"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.state})"

    @property
    def public_id(self) -> str:
        return public_id("apr", self.id)

    def state_at(self, moment: datetime) -> Approval.State:
        """Return the state at a moment. A time limit that has ended counts even before anyone noted it."""
        state = Approval.State(self.state)
        alive = state in (Approval.State.PENDING, Approval.State.APPROVED)
        return Approval.State.EXPIRED if alive and moment >= self.expires_at else state

    @property
    def moment(self) -> datetime:
        """When it reached its present state."""
        return self.answered_at or self.ended_at or self.expires_at

    @property
    def now(self) -> Approval.State:
        return self.state_at(timezone.now())


class Webhook(OrganizationOwned):
    """An address that is told of events (see Notice.Kind). Its secret is shown once, and stored sealed."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    url = models.CharField(max_length=2000)
    sealed_secret = models.TextField()
    sealed_earlier = models.TextField(blank=True, help_text="The secret before, while it signs too.")
    earlier_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_email = models.CharField(max_length=254)
    disabled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.url

    @property
    def public_id(self) -> str:
        return public_id("whk", self.id)

    @property
    def overlaps(self) -> bool:
        """True while the previous secret signs too."""
        return self.earlier_until is not None and self.earlier_until > timezone.now()


_ERRORS = {
    "name_not_found": "no such host",
    "refused": "no connection",
    "timed_out": "no answer in time",
    "tls": "certificate refused",
    "address_not_allowed": "a private address",
    "too_large": "too large an answer",
    "redirected": "a redirect, not followed",
    "not_http": "no HTTP answer",
}


class MailMuted(OrganizationOwned):
    """A member who wants no e-mail about waiting calls."""

    member = models.OneToOneField(
        "accounts.Membership", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )


class Notice(OrganizationOwned):
    """One message to one address and what became of it: both the outbox and the delivery log."""

    class State(models.TextChoices):
        WAITING = "waiting", "On its way"
        SENT = "sent", "Delivered"
        FAILED = "failed", "Given up"
        DROPPED = "dropped", "Not needed any more"

    class Kind(models.TextChoices):
        REQUESTED = "approval.requested"
        REMINDER = "approval.reminder"
        PUBLISHED = "policy.published"
        REJECTED = "worker.rejected"
        DRIFTED = "server.drifted"
        TEST = "webhook.test"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    approval = models.ForeignKey(Approval, null=True, on_delete=models.CASCADE, related_name="notices")
    data = models.JSONField(default=dict, help_text="What is told, where it is not about an approval.")
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.CASCADE, related_name="notices")
    email = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried next.")
    attempts = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="What the address answered last.")
    error = models.CharField(max_length=40, blank=True, help_text="Why nothing was answered.")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(state="waiting"), name="notices_on_their_way"),
            models.Index(fields=["ended_at"], condition=models.Q(state="failed"), name="notices_that_failed"),
            models.Index(fields=["webhook", "-created_at"]),
            models.Index(fields=["organization", "email", "-ended_at"]),
        ]

    @property
    def public_id(self) -> str:
        return public_id("msg", self.id)

    @property
    def error_words(self) -> str:
        return _ERRORS.get(self.error, self.error.replace("_", " "))
