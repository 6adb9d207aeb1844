from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid, public_id


class Policy(OrganizationOwned):
    """A named policy of one server: the draft a person edits and the revision that is in force."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="policies")
    name = models.CharField(max_length=80)
    draft = models.TextField(help_text="Exactly as typed; it may have problems.")
    last_readable = models.TextField(
        blank=True, help_text="The last draft that was a JSON object, while the draft is none."
    )
    draft_saved_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1, help_text="Rises with every saved draft; the ETag.")
    published_revision = models.ForeignKey(
        "policies.PolicyRevision", null=True, on_delete=models.PROTECT, related_name="+"
    )
    tests = models.TextField(default="[]", help_text="What its tests expect, as `tests_text` writes it.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "name"], name="one_policy_per_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id("pol", self.id)


# A quote within a JSON string is escaped with a backslash, so this matches the member itself. A partial index
# has this condition; PostgreSQL uses it only for a query with exactly the same one.
OPEN_BY_DEFAULT: Final = r'(^|[^\\])"default"\s*:\s*"allow"'


class PolicyRevision(OrganizationOwned):
    """A published document. It never changes: the application's role may not update or delete it."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    text = models.TextField(help_text="As typed.")
    document = models.TextField(help_text="The canonical form: what is enforced.")
    classes = models.JSONField(
        help_text="[[tool, class, digest]] when published: new classifications take force only by publishing."
    )
    shared_counters = models.JSONField(
        default=list, help_text="[[scope, counter]] of limits that count beyond one grant, when published."
    )
    note = models.CharField(max_length=300, blank=True)
    published_at = models.DateTimeField(default=timezone.now)
    # Without a constraint: a revision never changes, even if its author leaves.
    published_by = models.ForeignKey(
        "accounts.Membership",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    published_by_email = models.CharField(max_length=254)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "number"], name="one_revision_per_number")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["organization"],
                name="revisions_open_by_default",
                condition=models.Q(document__regex=OPEN_BY_DEFAULT),
            ),
            models.Index(fields=["organization", "-published_at"], name="revisions_published_last"),
        ]

    def __str__(self) -> str:
        return f"revision {self.number}"

    @property
    def public_id(self) -> str:
        return public_id("rev", self.id)
