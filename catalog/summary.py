"""The figures that stand on every page, counted once per change of the index."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Sum

from catalog.models import CatalogServer, CatalogSummary, CatalogTool
from catalog.rules import digest

MOST_VENDORS = 30


@transaction.atomic
def count_anew() -> CatalogSummary:
    summary, _ = CatalogSummary.objects.select_for_update().get_or_create(pk=1)
    figures = _figures()
    if figures != summary.figures or summary.classifier != digest():
        summary.figures = figures
        summary.classifier = digest()
    summary.revision += 1
    summary.save()
    return summary


def current() -> CatalogSummary:
    return CatalogSummary.objects.filter(pk=1).first() or CatalogSummary()


def _figures() -> dict[str, Any]:
    tools = CatalogTool.objects.filter(removed_at=None)
    servers = CatalogServer.objects.exclude(status=CatalogServer.Status.DELETED)
    return {
        "servers": servers.count(),
        "tools": tools.count(),
        "needs_review": tools.filter(needs_review=True).count(),
        "class": dict(tools.values_list("tool_class").annotate(n=Count("id")).order_by()),
        "severity": {str(k): n for k, n in tools.values_list("severity").annotate(n=Count("id")).order_by()},
        "provenance": dict(tools.values_list("provenance").annotate(n=Count("id")).order_by()),
        "transport": _transports(servers),
        "vendor": _vendors(servers),
        "last_checked": str(servers.aggregate(last=Max("checked_at"))["last"] or ""),
        "last_tool": tools.aggregate(last=Max("id"))["last"] or 0,
        "last_server": servers.aggregate(last=Max("id"))["last"] or 0,
    }


def _transports(servers: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for transports, count in servers.values_list("transports").annotate(n=Sum("tool_count")).order_by():
        for transport in transports:
            found[transport] = found.get(transport, 0) + count
    return found


def _vendors(servers: Any) -> list[tuple[str, int]]:
    named = servers.exclude(vendor="").exclude(tool_count=0)
    found = named.values_list("vendor").annotate(n=Sum("tool_count")).order_by("-n", "vendor")[:MOST_VENDORS]
    return [(vendor, count) for vendor, count in found]
