"""What staff see of the catalogue and of what visitors sent. They act on it elsewhere: see `views.staff`."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts.admin import ReadOnly
from catalog.models import CatalogServer, CatalogTool, ContactMessage


class Servers(ReadOnly):
    list_display = ("title", "slug", "vendor", "status", "tool_count", "checked_at", "changed_at")
    fields = (
        *("title", "slug", "identity", "vendor", "repository", "subfolder", "package", "version"),
        *("registry_name", "registry_updated", "status", "transports", "endpoint", "headers"),
        *("tool_count", "by_severity", "by_class", "first_seen", "checked_at", "changed_at"),
    )
    list_filter = ("status",)
    search_fields = ("slug", "title", "endpoint")
    search_help_text = "Part of a server’s slug, title or address"
    ordering = ("-tool_count", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogServer]:
        return CatalogServer.objects.defer("search")


class Tools(ReadOnly):
    """There may be a million: only what an index answers is searched or sorted by."""

    list_display = ("name", "server", "tool_class", "level", "confidence", "needs_review", "removed_at")
    list_display_links = ("name",)
    list_filter = ("needs_review",)
    fields = (
        *("name", "title", "slug", "server", "tool_class", "level", "confidence", "needs_review"),
        *("evidence", "signals", "params", "choices", "annotations"),
        *("provenance", "source", "checked_at", "changed_at", "removed_at"),
    )
    search_fields = ("name_key__exact", "server__slug__exact")
    search_help_text = "All of a tool’s name, as words joined by _, or of a server’s slug"
    ordering = ("-severity", "name_key", "id")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogTool]:
        return CatalogTool.objects.select_related("server").defer("search", "server__search")

    @admin.display(description="severity")
    def level(self, tool: CatalogTool) -> str:
        return tool.level.label


class Checks(ReadOnly):
    list_display = ("source", "started_at", "finished_at", "counts")
    fields = (*list_display, "cursor", "refused")
    list_filter = ("started_at",)
    search_fields = ("source",)
    search_help_text = "Part of a source"
    ordering = ("-started_at", "-id")


class Reports(ReadOnly):
    list_display = ("tool", "server", "label", "should_be", "reported_at", "state", "settled_by")
    fields = (
        *("tool", "server", "label", "should_be", "why"),
        *("reported_at", "state", "settled_at", "settled_by"),
    )
    list_filter = ("state", "reported_at")
    search_fields = ("tool", "server")
    search_help_text = "Part of a tool’s or a server’s name"
    ordering = ("-reported_at", "-id")

    def view_on_site(self, obj: Model) -> str:
        return reverse("catalog:reports")


class Messages(ReadOnly):
    list_display = ("subject", "email", "sent_at", "mailed_at", "answered_at", "answered_by")
    fields = ("about", "email", "message", "sent_at", "mailed_at", "answered_at", "answered_by")
    list_filter = ("sent_at", "answered_at")
    search_fields = ("email", "about", "message")
    search_help_text = "Part of an address, a subject or a message"
    ordering = ("-sent_at", "-id")

    @admin.display(description="about", ordering="about")
    def subject(self, message: ContactMessage) -> str:
        return message.about or "No subject"

    def view_on_site(self, obj: Model) -> str:
        return reverse("catalog:messages")
