"""The short form of what we recommend for a tool, from the row alone."""

from __future__ import annotations

from catalog.models import CatalogTool
from catalog.recommend import CALLS_A_MINUTE, waits_for_a_person
from catalog.rules import classification_of
from catalog.vocabulary import ToolClass


def recommended_pill(tool: CatalogTool) -> tuple[str, str]:
    """`(effect, words)` for the pill."""
    found = classification_of(tool)
    if waits_for_a_person(found):
        return "needs_approval", "Approval"
    if found.tool_class is ToolClass.READ:
        return "allowed", "Allow"
    return "limited", f"{CALLS_A_MINUTE[found.tool_class]}/min"
