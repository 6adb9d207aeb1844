"""Servers and tools of the index as JSON, the same for the API, the pages and the download."""

from __future__ import annotations

from typing import Any

from catalog.classifier.vocabulary import WORST_LAST, Severity
from catalog.models import CatalogServer, CatalogTool


def server_facts(server: CatalogServer) -> dict[str, Any]:
    return {
        "server": server.slug,
        "title": server.title,
        "vendor": server.vendor,
        "repository": server.repository,
        "subfolder": server.subfolder,
        "package": server.package,
        "version": server.version,
        "registry_name": server.registry_name,
        "status": server.status,
        "transports": server.transports,
        "endpoint": server.hosted_at,
        "headers": server.must_be_sent,
        "tools": server.tool_count,
        "by_class": dict(zip(map(str, WORST_LAST), server.by_class or [0] * 5, strict=True)),
        "by_severity": dict(
            zip((level.label for level in Severity), server.by_severity or [0] * 4, strict=True)
        ),
        "checked": server.checked_at.isoformat(),
        "path": server.get_absolute_url(),
    }


def tool_facts(tool: CatalogTool) -> dict[str, Any]:
    choices = dict(tool.choices)
    return {
        "tool": tool.name,
        "title": tool.title,
        "server": tool.server.slug,
        "class": tool.tool_class,
        "severity": tool.level.label,
        "confidence": tool.confidence,
        "needs_review": tool.needs_review,
        "signals": tool.signals,
        "evidence": [
            {"rule": rule, "field": where, "words": words, "sentence": sentence}
            for rule, where, words, sentence in tool.evidence
        ],
        "params": [
            {"name": name, "type": kind, "required": must, "choices": choices.get(name, [])}
            for name, kind, must in tool.params
        ],
        "annotations": tool.annotations,
        "provenance": {"how": tool.provenance, "source": tool.source, "checked": tool.checked_at.isoformat()},
        "path": tool.get_absolute_url(),
    }
