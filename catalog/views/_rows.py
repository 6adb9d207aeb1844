"""A tool as the lists show it, with the short form of what we recommend for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from catalog import prose
from catalog.models import CatalogTool
from catalog.recommend import short_form
from catalog.rules import verdict_of


@dataclass(frozen=True, slots=True)
class Row:
    tool: CatalogTool
    effect: str
    words: str
    because: str


def rows_of(tools: Iterable[CatalogTool]) -> list[Row]:
    """Each tool under its own rule alone; the policy of a whole server may say more."""
    return [_row(tool) for tool in tools]


def _row(tool: CatalogTool) -> Row:
    found = verdict_of(tool)
    return Row(tool, *short_form(tool.name, found), prose.because(found))
