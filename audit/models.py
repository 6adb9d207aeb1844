from __future__ import annotations

from hashlib import sha256
from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import public_id
from policies.language.quota import units


class DecisionRecord(OrganizationOwned):
    """What the gateway decided about one call, and how the call ended.

    In the database there is one table per day, by the time in the id: see `audit.partitions`.
    Servers, grants and revisions are plain UUIDs, because the record outlives them.
    """

    id = models.UUIDField(
        primary_key=True, editable=False, help_text="The decision's id, made by the gateway."
    )
    position = models.BigIntegerField(
        editable=False,
        db_default=models.Func(models.Value("audit_decision_position"), function="nextval"),
        help_text="Rises in the order of arrival; the cursor of lists and of the live tail.",
    )
    completed_position = models.BigIntegerField(
        null=True,
        editable=False,
        help_text="Of the same sequence: when the end of a call arrived after the call itself.",
    )
    worker = models.CharField(max_length=60)
    spool = models.CharField(max_length=300, help_text="Where the worker kept the record until it was here.")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    arrived_at = models.DateTimeField(default=timezone.now)
    server_id = models.UUIDField()
    grant_id = models.UUIDField()
    method = models.CharField(max_length=80)
    tool = models.CharField(
        max_length=2048, help_text="Tool, resource URI or prompt; empty for other methods."
    )
    outcome = models.CharField(max_length=8)
    code = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null is the language's "no code"
    rule = models.CharField(max_length=700)
    reason = models.TextField(blank=True)
    retry_after_seconds = models.PositiveIntegerField(null=True)
    limit = models.BigIntegerField(null=True, help_text="The most allowed by the limit that was used up.")
    remaining_micros = models.BigIntegerField(null=True, help_text="In millionths: what that limit had left.")
    policy_revision_id = models.UUIDField(null=True)
    approval_id = models.UUIDField(
        null=True, help_text="The approval the call waits for, was sent by, or was refused by."
    )
    config_revision = models.BigIntegerField()
    argument_names = ArrayField(models.TextField())
    sealed_arguments = models.TextField(
        blank=True,
        db_default="",
        default="",
        help_text="Values that are kept, sealed; see `audit.kept`.",
    )
    argument_digest = models.CharField(max_length=64, blank=True)
    added_us = models.PositiveIntegerField(help_text="Time we added before forwarding, microseconds.")
    upstream_status = models.PositiveSmallIntegerField(null=True)
    upstream_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    total_us = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            # The table is partitioned by the time in the id, so every unique index has to include the id.
            models.UniqueConstraint(fields=["spool", "sequence", "id"], name="one_record_per_sequence")
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-position"]),
            models.Index(
                fields=["organization", "completed_position"],
                name="late_completions",
                condition=models.Q(completed_position__isnull=False),
            ),
            models.Index(fields=["organization", "-at"]),
            models.Index(fields=["organization", "grant_id", "-position"]),
            models.Index(fields=["organization", "server_id", "-position"]),
            models.Index(fields=["organization", "code", "-position"], name="decisions_of_a_code"),
            models.Index(
                fields=["organization", "policy_revision_id", "-position"], name="decisions_of_a_revision"
            ),
            # Hash indexes, because a name may be too long for a B-tree page.
            HashIndex(fields=["tool"], name="decisions_of_a_tool"),
            HashIndex(fields=["rule"], name="decisions_of_a_rule"),
            models.Index(
                fields=["organization", "-position"],
                name="decisions_that_stopped_a_call",
                condition=~models.Q(outcome="allow"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.tool}"

    @property
    def public_id(self) -> str:
        return public_id("dec", self.id)

    @property
    def remaining(self) -> int | float | None:
        return None if self.remaining_micros is None else units(self.remaining_micros)

    @property
    def counted_tool(self) -> str:
        """The tool's name in the counts, cut: hostile names are long, and an index entry must not be."""
        return self.tool[:256]


class LogDay(OrganizationOwned):
    """The positions, in the order of arrival, of the records whose ids were made on one day.

    The database maintains it by a trigger on the log: see `audit.days`.
    """

    pk = models.CompositePrimaryKey("organization", "day")
    day = models.IntegerField(help_text="Days since 1970 of the time in the ids.")
    first = models.BigIntegerField(help_text="No record of the day has a lower position.")
    last = models.BigIntegerField(help_text="Nor a higher one.")
    completed = models.BigIntegerField(null=True, help_text="Nor a higher completed position.")

    def __str__(self) -> str:
        return f"day {self.day}: {self.first} to {self.last}"


class CallCount(OrganizationOwned):
    """Calls in one unit of time, with one outcome, to which we added about the same latency."""

    pk = models.CompositePrimaryKey("organization", "unit", "start", "outcome", "added")
    unit = models.CharField(max_length=1)
    start = models.DateTimeField()
    outcome = models.CharField(max_length=8, help_text="As shown: one of `audit.outcomes`.")
    added = models.PositiveSmallIntegerField(help_text="Bucket of the time we added; see `audit.counts`.")
    calls = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.calls} {self.outcome}"


class UseCount(OrganizationOwned):
    """Calls of one tool by one grant in one unit of time, by outcome."""

    pk = models.CompositePrimaryKey(
        "organization", "unit", "start", "server_id", "grant_id", "tool", "outcome"
    )
    unit = models.CharField(max_length=1)
    start = models.DateTimeField()
    server_id = models.UUIDField()
    grant_id = models.UUIDField()
    tool = models.CharField(max_length=256)
    outcome = models.CharField(max_length=8)
    calls = models.BigIntegerField()

    class Meta:
        # They leave out `calls`, which changes with every call, so that counting up does not touch an index.
        indexes: ClassVar = [
            models.Index(fields=["organization", "grant_id", "unit", "start"], name="uses_of_a_grant"),
            models.Index(fields=["organization", "server_id", "unit", "start"], name="uses_of_a_server"),
        ]

    def __str__(self) -> str:
        return f"{self.calls} {self.outcome} of {self.tool}"


class ToolCount(OrganizationOwned):
    """Calls of one tool in one unit of time, by outcome, whoever made them."""

    pk = models.CompositePrimaryKey("organization", "unit", "start", "tool", "outcome")
    unit = models.CharField(max_length=1)
    start = models.DateTimeField()
    tool = models.CharField(max_length=256)
    outcome = models.CharField(max_length=8)
    calls = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.calls} {self.outcome} of {self.tool}"


class ToolUser(OrganizationOwned):
    """A grant that has called a tool: the minutes in which it last called it and was last held back there."""

    pk = models.CompositePrimaryKey("organization", "tool", "grant_id")
    tool = models.CharField(max_length=256)
    grant_id = models.UUIDField()
    called = models.DateTimeField()
    held = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.grant_id} called {self.tool}"


class LoggedName(OrganizationOwned):
    """A tool or rule named in the log, and how often: searches for part of a name look among these."""

    class Kind(models.TextChoices):
        TOOL = "t"
        RULE = "r"

    pk = models.CompositePrimaryKey("organization", "kind", "digest")
    kind = models.CharField(max_length=1, choices=Kind.choices)
    digest = models.UUIDField(help_text="Of the name, which may be longer than a page of an index holds.")
    name = models.CharField(max_length=2048)
    calls = models.BigIntegerField(help_text="That were ever logged; also those the log forgot since.")
    seen = models.DateTimeField(help_text="The day of the latest call.")

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def digest_of(name: str) -> UUID:
        return UUID(sha256(name.encode()).hexdigest()[:32])
