"""The classifier's answer, written to a tool, and read from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from catalog import vocabulary
from catalog.choices import choices_of_schema
from catalog.classify import Classification, Param, ToolInput, classify
from catalog.recommend import short_form
from servers.models import Severity, Tool, ToolClass

_RANKS = {tool_class.value: rank for rank, tool_class in enumerate(ToolClass)}


def write_class(tool: Tool, siblings: tuple[str, ...]) -> None:
    """`siblings`: the names of all tools of its server."""
    found = classify(
        ToolInput(
            name=tool.name,
            description=tool.description,
            params=tuple(_params(tool.input_schema)),
            annotations=tool.annotations,
            siblings=siblings,
            title=tool.title,
            choices=tuple(choices_of_schema(tool.input_schema)),
        )
    )
    tool.tool_class = ToolClass(found.tool_class)
    tool.class_rank = _RANKS[found.tool_class]
    tool.severity = Severity(found.severity)
    tool.confidence = found.confidence
    tool.needs_review = found.needs_review
    tool.evidence = [asdict(evidence) for evidence in found.evidence]
    tool.signals = list(found.signals)


def classification_of(tool: Tool) -> Classification:
    """What the last scan made of it; a tool without a class is one we are not sure of."""
    return Classification(
        tool_class=vocabulary.ToolClass(tool.tool_class or "Read"),
        severity=vocabulary.Severity(tool.severity),
        confidence=tool.confidence,
        evidence=(),
        signals=tuple(tool.signals),
        needs_review=tool.needs_review or not tool.tool_class,
    )


def suggestion(tool: Tool) -> tuple[str, str]:
    """`(effect, words)` of the rule we would begin with."""
    return short_form(classification_of(tool))


def _params(schema: Mapping[str, Any]) -> Iterator[Param]:
    """Name, type and whether it is required, of whatever a stranger calls a schema."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return
    must = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    for name, described in properties.items():
        kind = described.get("type") if isinstance(described, dict) else None
        yield str(name), kind if isinstance(kind, str) else "", name in must
