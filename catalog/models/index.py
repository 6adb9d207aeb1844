"""The public index: servers, their tools and where each fact is from. Nothing here belongs to a tenant."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone

from catalog.classifier.vocabulary import Severity
from catalog.naming import starting


class CatalogServer(models.Model):
    """One public server, identified by its repository, subfolder and package together (`identity`)."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        DEPRECATED = "deprecated", "Deprecated"
        DELETED = "deleted", "Deleted"

    slug = models.CharField(max_length=100, unique=True)
    identity = models.CharField(max_length=400, unique=True)
    title = models.CharField(max_length=160)
    vendor = models.CharField(max_length=80, blank=True)
    repository = models.CharField(max_length=200, blank=True)
    subfolder = models.CharField(max_length=200, blank=True)
    package = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=80, blank=True)
    registry_name = models.CharField(max_length=200, unique=True, null=True, blank=True)
    registry_updated = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    transports = ArrayField(models.CharField(max_length=20), default=list)
    endpoint = models.CharField(max_length=500, blank=True)
    headers = ArrayField(models.CharField(max_length=80), default=list, help_text="Names it must be sent.")
    tool_count = models.PositiveIntegerField(default=0)
    by_severity = ArrayField(models.PositiveIntegerField(), default=list, help_text="Low to critical.")
    by_class = ArrayField(models.PositiveIntegerField(), default=list, help_text="As ToolClass, worst last.")
    worst = models.PositiveSmallIntegerField(default=0)
    first_seen = models.DateField(default=timezone.now)
    checked_at = models.DateField(default=timezone.now)
    changed_at = models.DateField(default=timezone.now)
    search = SearchVectorField(null=True)

    class Meta:
        verbose_name = "server"
        indexes: ClassVar = [
            GinIndex(fields=["search"], name="catalog_server_search", fastupdate=False),
            models.Index(fields=["vendor", "-tool_count", "slug"], name="catalog_server_of_vendor"),
            models.Index(fields=["-tool_count", "slug"], name="catalog_server_size"),
            models.Index(
                fields=["endpoint"], name="catalog_server_endpoint", opclasses=["varchar_pattern_ops"]
            ),
            models.Index(fields=["package"], name="catalog_server_package"),
            models.Index(fields=["repository"], name="catalog_server_repository"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        # Written out, not reversed: a page links to hundreds, and nothing in a slug needs escaping.
        return f"/servers/{self.slug}/"

    @property
    def is_withdrawn(self) -> bool:
        return self.status == self.Status.DELETED

    @property
    def hosted_at(self) -> str:
        """The address that its publisher gives. Empty if it was withdrawn: nobody vouches for the address any
        more, and by now it may be anyone's."""
        return "" if self.is_withdrawn else self.endpoint

    @property
    def must_be_sent(self) -> list[str]:
        """Names of the headers that `hosted_at` must be sent."""
        return [] if self.is_withdrawn else self.headers

    @property
    def may_be_a_program(self) -> bool:
        """False if it is known only to answer over a network, so that no command of its client starts it."""
        return not self.transports or "stdio" in self.transports

    @property
    def command(self) -> str:
        """The command that starts it on your own machine; empty if its package does not give one."""
        return starting(self.package)


class CatalogTool(models.Model):
    """One tool of one server, with what the classifier says about it and the words that this rests on."""

    server = models.ForeignKey(CatalogServer, on_delete=models.CASCADE, related_name="tools")
    name = models.CharField(max_length=128)
    slug = models.CharField(max_length=128)
    name_key = models.CharField(
        max_length=128, help_text="The words of the name, for the same tool elsewhere."
    )
    title = models.CharField(max_length=160, blank=True)
    params = models.JSONField(default=list, help_text="[[name, type, required]]")
    choices = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        help_text="[[name of a parameter, [what can be chosen]]]",
    )
    annotations = models.JSONField(default=dict)
    provenance = models.CharField(max_length=10)
    source = models.CharField(max_length=300, blank=True)
    tool_class = models.CharField(max_length=12)
    severity = models.PositiveSmallIntegerField()
    confidence = models.FloatField()
    needs_review = models.BooleanField()
    evidence = models.JSONField(default=list, help_text="[[rule, field, words, sentence]]")
    signals = ArrayField(models.CharField(max_length=40), default=list)
    checked_at = models.DateField(default=timezone.now)
    changed_at = models.DateField(default=timezone.now)
    removed_at = models.DateField(null=True, blank=True)
    search = SearchVectorField(null=True)

    class Meta:
        verbose_name = "tool"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "slug"], name="one_catalog_tool_per_slug"),
        ]
        indexes: ClassVar = [
            GinIndex(fields=["search"], name="catalog_tool_search", fastupdate=False),
            models.Index(fields=["-severity", "name_key", "id"], name="catalog_tool_worst"),
            models.Index(fields=["name_key", "-severity", "id"], name="catalog_tool_same_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/tools/{self.server.slug}/{self.slug}/"

    @property
    def level(self) -> Severity:
        return Severity(self.severity)


class SourceCheck(models.Model):
    """One run of an import: where from, what came of it, what was refused and why."""

    source = models.CharField(max_length=300)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    cursor = models.CharField(max_length=500, blank=True, help_text="Where to go on after an interruption.")
    counts = models.JSONField(default=dict)
    refused = models.JSONField(default=list, help_text="[[where, why]], the first thousand.")

    class Meta:
        verbose_name = "check of a source"
        verbose_name_plural = "checks of sources"
        indexes: ClassVar = [models.Index(fields=["source", "-started_at"], name="catalog_check_source")]

    def __str__(self) -> str:
        return self.source


class CatalogSummary(models.Model):
    """The one row of figures every page shows; `revision` rises whenever the index changes."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.PositiveIntegerField(default=0)
    classifier = models.CharField(
        max_length=64, blank=True, help_text="Digest of the rules that gave the classes."
    )
    lexemes = models.CharField(max_length=64, blank=True, help_text="Digest of the words rows are found by.")
    facts = models.CharField(max_length=64, blank=True, help_text="Digest of the shipped facts taken in.")
    order = models.BigIntegerField(default=0, help_text="Which order of the index holds.")
    figures = models.JSONField(default=dict)
    words = models.JSONField(default=dict, help_text="What very many tools and servers have, by kind.")
    picks = models.JSONField(default=dict, help_text="Keys of the tools that pages show, by page.")

    def __str__(self) -> str:
        return f"revision {self.revision}"
