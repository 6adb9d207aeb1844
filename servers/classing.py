"""Writes the classifier's answer to a tool and reads it back."""

from __future__ import annotations

from catalog.classifier import vocabulary
from catalog.classifier.choices import choices_of_schema
from catalog.classify import Classification, ToolInput, classify
from catalog.facts import hints_of, params_of_schema
from catalog.recommend import short_form
from servers.models import Severity, Tool, ToolClass

_RANKS = {tool_class.value: rank for rank, tool_class in enumerate(ToolClass)}


def write_class(tool: Tool, siblings: tuple[str, ...], server: str) -> None:
    """Classes the tool as the catalogue does, but by its description, too.

    `siblings`: the names of all tools of `server`.
    """
    found = classify(
        ToolInput(
            name=tool.name,
            description=tool.description,
            params=tuple(params_of_schema(tool.input_schema)),
            annotations=hints_of(tool.annotations),
            siblings=siblings,
            title=tool.title,
            choices=choices_of_schema(tool.input_schema),
            server=server,
        )
    )
    tool.tool_class = ToolClass(found.tool_class)
    tool.class_rank = _RANKS[found.tool_class]
    tool.severity = Severity(found.severity)
    tool.confidence = found.confidence
    tool.needs_review = found.needs_review
    tool.evidence = [evidence._asdict() for evidence in found.evidence]
    tool.signals = list(found.signals)


def classification_of(tool: Tool) -> Classification:
    """Returns what the last scan made of the tool. Without a class, it counts as one we are not sure of."""
    return Classification(
        tool_class=vocabulary.ToolClass(tool.tool_class or "Read"),
        severity=vocabulary.Severity(tool.severity),
        confidence=tool.confidence,
        evidence=(),
        signals=tuple(tool.signals),
        needs_review=tool.needs_review or not tool.tool_class,
    )


def suggestion(tool: Tool) -> tuple[str, str]:
    """Returns `(effect, words)` of the rule we would begin with."""
    return short_form(tool.name, classification_of(tool))
