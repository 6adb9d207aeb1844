"""The short form of what we recommend for a tool, from the row alone."""

from __future__ import annotations

from catalog.models import CatalogTool
from catalog.recommend import short_form
from catalog.rules import classification_of


def recommended_pill(tool: CatalogTool) -> tuple[str, str]:
    """`(effect, words)` for the pill."""
    return short_form(classification_of(tool))
