from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned, TenantQuerySet
from common.ids import new_uuid, public_id
from servers.addresses import address_of


class ToolClass(models.TextChoices):
    """In order of what an agent can break, worst first."""

    FINANCIAL = "Financial"
    DESTRUCTIVE = "Destructive"
    EXECUTE = "Execute"
    WRITE = "Write"
    READ = "Read"


class Severity(models.IntegerChoices):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Server(OrganizationOwned):
    """One upstream MCP server as one organization registered it. Its UUID appears in the gateway URL."""

    class Auth(models.TextChoices):
        NONE = "none", "Nothing"
        HEADERS = "headers", "Headers"

    class Status(models.TextChoices):
        NEW = "new", "Not connected yet"
        SCANNING = "scanning", "Connecting"
        READY = "ready", "Connected"
        FAILING = "failing", "Not reachable"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=80)
    upstream_url = models.CharField(max_length=2000)
    auth_kind = models.CharField(max_length=10, choices=Auth.choices, default=Auth.NONE)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    version = models.PositiveIntegerField(default=1, help_text="Rises with every change; the ETag.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    drifted_at = models.DateTimeField(
        null=True, blank=True, help_text="When a scan last found a tool that it had seen before changed."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(retired_at=None),
                name="one_server_per_name",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id("srv", self.id)

    @property
    def shown_url(self) -> str:
        """The URL for everyone who may see the server: parts that may be a password are left out."""
        return address_of(self.upstream_url).shown

    @property
    def hides_a_part(self) -> bool:
        return self.shown_url != self.upstream_url


class ServerCredential(OrganizationOwned):
    """Headers sent upstream: names readable, values sealed and never read back to a person."""

    server = models.OneToOneField(
        Server, primary_key=True, on_delete=models.CASCADE, related_name="credential"
    )
    header_names = ArrayField(models.CharField(max_length=128))
    sealed = models.TextField()
    changed_at = models.DateTimeField(default=timezone.now)


class ToolQuerySet(TenantQuerySet["Tool"]):
    def present(self) -> ToolQuerySet:
        return self.filter(removed_at=None, server__retired_at=None)

    def worst_first(self) -> ToolQuerySet:
        return self.order_by("-severity", "class_rank", "name")


class Tool(OrganizationOwned):
    """A tool as the last scan saw it, with how we class it and why."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="tools")
    name = models.CharField(max_length=256)
    title = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    position = models.PositiveIntegerField(default=0)
    tool_class = models.CharField(max_length=12, choices=ToolClass.choices, blank=True)
    class_rank = models.PositiveSmallIntegerField(default=9, help_text="0 is the worst class.")
    severity = models.PositiveSmallIntegerField(choices=Severity.choices, default=Severity.MEDIUM)
    confidence = models.FloatField(default=0)
    needs_review = models.BooleanField(default=False)
    evidence = models.JSONField(default=list)
    signals = models.JSONField(default=list)
    first_seen_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = ToolQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["server", "name"], name="one_tool_per_name")]
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "-severity", "class_rank", "name", "id"],
                condition=models.Q(removed_at=None),
                name="tools_worst_first",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ToolSet(OrganizationOwned):
    """A mark for the state of a server's tools: triggers replace it whenever anything about them changes.

    Whatever was derived from a server's tools is valid while the mark is the same. A server whose tools have
    not changed since this table exists has no row.
    """

    server = models.OneToOneField(Server, primary_key=True, on_delete=models.CASCADE, related_name="tool_set")
    state = models.UUIDField(editable=False)


# What follows a step of a scan.
_NEXT: Final = {
    "Found the host": "Connecting",
    "Connected": "Asking whether it speaks MCP",
    "Secure connection": "Asking whether it speaks MCP",
}


class ToolScan(OrganizationOwned):
    """One visit to a server: its steps as they happened, and the result."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="scans")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    routine = models.BooleanField(
        default=False,
        db_default=False,
        help_text="By the clock, and not because somebody asked: no limit counts it, and others go first.",
    )
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    steps = models.JSONField(default=list, help_text="[{title, detail, milliseconds}] in order.")
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    hint = models.TextField(blank=True)
    protocol_version = models.CharField(max_length=20, blank=True)
    tools_found = models.PositiveIntegerField(default=0)
    changes = models.JSONField(default=dict, help_text="{added: [], removed: [], changed: []} names.")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["server", "-started_at"]),
            models.Index(
                fields=["organization", "routine", "started_at"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="scans_not_over",
            ),
            models.Index(
                fields=["finished_at"], condition=models.Q(state="failed"), name="scans_that_failed"
            ),
        ]

    @property
    def steps_done(self) -> list[dict[str, Any]]:
        """All steps, without the last one while it is under way."""
        steps: list[dict[str, Any]] = self.steps
        return steps[:-1] if steps and steps[-1]["milliseconds"] is None else steps

    @property
    def under_way(self) -> str:
        """What is being done now, while it runs."""
        if len(self.steps_done) < len(self.steps):
            return "{title}: {detail}".format_map(self.steps[-1])
        return _NEXT.get(self.steps[-1]["title"], "Reading tools") if self.steps else "Looking the host up"
