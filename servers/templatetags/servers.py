"""Rows of the servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django import template
from django.utils.safestring import SafeString

from common.templatetags._moulds import filled
from common.templatetags._ways import address
from common.templatetags.ui import oneline, tool_class
from servers.models import Server

register = template.Library()
Row = tuple[Server, Iterable[tuple[str, int]]]


@register.simple_tag
def server_rows(rows: Iterable[Row]) -> SafeString:
    """Each with how many of its tools are of which class."""
    return filled("servers/_row.html", _fillings(rows))


@register.simple_tag
def server_status(server: Server) -> SafeString:
    status = Server.Status(server.status)
    return filled("servers/_status.html", [{"words": status.label}], status=status.value)


def _fillings(rows: Iterable[Row]) -> Iterator[dict[str, object]]:
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
