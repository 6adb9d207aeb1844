from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid


class PublishRequest(OrganizationOwned):
    """Outbox: written in the transaction of the change it announces, done when a bundle holds that change."""

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    deliveries = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When a task last took it up.")
    dead_at = models.DateTimeField(null=True, blank=True, help_text="Given up after three deliveries.")
    error = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "id"],
                name="waiting_publish_requests",
                condition=models.Q(done_at=None, dead_at=None),
            ),
            models.Index(
                fields=["dead_at"],
                name="publish_requests_given_up",
                condition=models.Q(done_at=None, dead_at__isnull=False),
            ),
        ]


class ConfigRevision(OrganizationOwned):
    """One signed bundle of one organization: what its workers run."""

    id = models.BigAutoField(primary_key=True, help_text="Rises in commit order; the cursor of the heads.")
    number = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)
    body = models.TextField()
    envelope = models.JSONField()
    policy_revisions = ArrayField(models.UUIDField(), help_text="Policy revisions this bundle holds.")
    parts = ArrayField(
        models.CharField(max_length=64), default=list, help_text="Digests of the parts its grants stand in."
    )
    created_at = models.DateTimeField(default=timezone.now)
    in_force_at = models.DateTimeField(
        null=True, blank=True, help_text="When the last of the living workers had applied it."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "number"], name="one_config_revision_per_number")
        ]


class GrantPart(OrganizationOwned):
    """A part of an organization's grants as bundles name it: see gateway_config.grants. It never changes."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64)
    body = models.TextField()
    grants = models.PositiveIntegerField(help_text="How many there are in it.")
    kinds = models.JSONField(help_text="The servers and policies its grants are for.")
    first_end = models.BigIntegerField(null=True, blank=True, help_text="When the first of its tokens ends.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "digest"], name="one_grant_part_per_digest")
        ]


class GrantChange(OrganizationOwned):
    """Written by the database in the transaction that changed grants; gone when a bundle holds the change."""

    id = models.BigAutoField(primary_key=True)
    beginning = models.CharField(max_length=2, help_text="Of the tokens' digests; nothing: of all of them.")


class NumberFloor(OrganizationOwned):
    """Workers took revisions up to this number which we do not know: the database was restored.

    They refuse to go back, so the next revision is numbered above it.
    """

    id = models.BigAutoField(primary_key=True)
    number = models.PositiveBigIntegerField()
    noted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization"], name="one_number_floor_per_organization")
        ]


class ClosedOrganization(models.Model):
    """A deleted organization, for the gateways to hear of. No foreign key: its row is gone."""

    organization_id = models.UUIDField(primary_key=True, editable=False)
    number = models.PositiveBigIntegerField()
    closed_at = models.DateTimeField(default=timezone.now)
    cursor = models.BigIntegerField(null=True, blank=True, help_text="Among the heads; none: not told yet.")
    envelope = models.JSONField(default=dict)
    body = models.TextField(blank=True)

    def __str__(self) -> str:
        return str(self.organization_id)


class LimiterStore(models.Model):
    """A place where gateways count limits, since it last started over: see gateway_config.limiters."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=200)
    epoch = models.CharField(max_length=64)
    registered_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    doubt = models.BigIntegerField(
        null=True, blank=True, help_text="When it began, by the store's clock: names this doubt and no other."
    )
    doubt_since = models.DateTimeField(null=True, blank=True)
    trusted_doubt = models.BigIntegerField(null=True, blank=True, help_text="The doubt that is to end.")
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "epoch"], name="one_limiter_store_per_epoch")
        ]

    def __str__(self) -> str:
        return self.name


class Worker(models.Model):
    """A gateway process that may ask for bundles. No tenant owns it: all organizations run on all workers."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=60, unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    version = models.CharField(max_length=40, blank=True)
    enrolled_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text="Why it denies calls, as it said last.",
    )
    limiter = models.ForeignKey(
        LimiterStore, null=True, blank=True, on_delete=models.SET_NULL, related_name="workers"
    )

    def __str__(self) -> str:
        return self.name


class WorkerStatus(OrganizationOwned):
    """The newest answer of one worker about one organization's bundle."""

    class State(models.TextChoices):
        APPLIED = "applied"
        REJECTED = "rejected"

    id = models.BigAutoField(primary_key=True)
    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="statuses")
    revision = models.PositiveBigIntegerField(help_text="Number of the config revision the worker runs.")
    state = models.CharField(max_length=8, choices=State.choices)
    rejected_revision = models.PositiveBigIntegerField(null=True, blank=True)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["worker", "organization"], name="one_status_per_worker")
        ]
