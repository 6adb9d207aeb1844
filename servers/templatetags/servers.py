"""Rows of the servers, and of everything that agents can call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from django import template
from django.utils.safestring import SafeString

from common.templatetags._moulds import filled, joined
from common.templatetags._ways import address
from common.templatetags.ui import effect, oneline, severity, tool_class
from servers.models import Server
from servers.shelves import Row

register = template.Library()
SHOWN_LABELS: Final = 3
Counted: TypeAlias = tuple[Server, Iterable[tuple[str, int]]]


@register.simple_tag
def server_rows(rows: Iterable[Counted]) -> SafeString:
    """Draws the rows; each server comes with its number of tools per class."""
    return filled("servers/_row.html", _fillings(rows))


@register.simple_tag
def server_status(server: Server) -> SafeString:
    status = Server.Status(server.status)
    return filled("servers/_status.html", [{"words": status.label}], status=status.value)


def _fillings(rows: Iterable[Counted]) -> Iterator[dict[str, object]]:
    for server, classes in rows:
        counted = ({"class": tool_class(name), "count": count} for name, count in classes)
        yield {
            "href": address("servers:detail", server.public_id),
            "name": oneline(server.name),
            "url": oneline(server.shown_url),
            "status": server_status(server),
            "classes": filled("servers/_class_count.html", counted),
            "tools": server.tool_count,  # type: ignore[attr-defined]
            "critical": server.critical_count,  # type: ignore[attr-defined]
            "policies": server.policy_count,  # type: ignore[attr-defined]
            "grants": server.grant_count,  # type: ignore[attr-defined]
        }


@register.simple_tag
def callable_rows(rows: Iterable[Row]) -> SafeString:
    return joined(map(_callable, rows))


def _callable(row: Row) -> SafeString:
    tool, server, labels = row.tool, row.server, row.grants
    found, more = row.effect, max(len(labels) - SHOWN_LABELS, 0)
    decided = _decided(row) if found else ""
    filling = {
        "href": f"{address('servers:detail', server.public_id)}tools/{tool.pk}/",
        "tool": oneline(tool.name),
        "server": oneline(server.name),
        "class": tool_class(tool.tool_class),
        "severity": severity(tool.severity),
        "effect": effect(found, text=row.value) if found else "",
        "labels": filled(
            "servers/_reached_by.html", [{"label": oneline(label)} for label in labels[:SHOWN_LABELS]]
        ),
        "more": more,
        "rule": oneline(row.rule_words) if decided == "rule" else "",
    }
    kind = {"granted": bool(found), "reached": bool(labels), "more": bool(more)}
    return filled("servers/_callable_row.html", [filling], decided=decided, **kind)


def _decided(row: Row) -> str:
    if row.unruled:
        return "default"
    return {"(hidden)": "hidden", "(default deny)": "denied"}.get(row.rule, "rule")
