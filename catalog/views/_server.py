"""A server of the index with its tools and its policy, as the pages about servers show them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Final

from catalog import prose
from catalog.advice import Listed, ServerAdvice, advise_server
from catalog.classifier.vocabulary import WORST_LAST, ToolClass
from catalog.models import CatalogServer, CatalogTool
from catalog.recommend import CALLS_A_MINUTE
from catalog.rules import verdict_of
from catalog.search import SEVERITIES
from catalog.views._rows import Row

_RANKS: Final = {str(tool_class): rank for rank, tool_class in enumerate(WORST_LAST)}


def tools_of(server: CatalogServer) -> list[CatalogTool]:
    """Worst first. Without what only a tool's own page shows."""
    tools = list(server.tools.filter(removed_at=None).defer("search", "evidence", "annotations", "choices"))
    for tool in tools:
        tool.server = server
    return sorted(tools, key=lambda tool: (-tool.severity, -_RANKS[tool.tool_class], tool.name))


def advice_for(tools: Iterable[CatalogTool]) -> ServerAdvice:
    return advise_server(
        Listed(tool.name, tuple((n, k, r) for n, k, r in tool.params), verdict_of(tool)) for tool in tools
    )


def rows_under(advice: ServerAdvice, tools: Iterable[CatalogTool]) -> list[Row]:
    return [_row(tool, str(advice.effects[tool.name])) for tool in tools]


def _row(tool: CatalogTool, effect: str) -> Row:
    return Row(tool, effect, _pill(tool, effect), prose.because(verdict_of(tool)))


def _pill(tool: CatalogTool, effect: str) -> str:
    match effect:
        case "limited":
            return f"{CALLS_A_MINUTE[ToolClass(tool.tool_class)]}/min"
        case "needs_approval":
            return "Approval"
        case _:
            return ""


def bar(server: CatalogServer) -> dict[str, Any]:
    counts = list(zip((4, 3, 2, 1), reversed(server.by_severity or [0] * 4), strict=True))
    labels = dict(SEVERITIES)
    starts = accumulate((count for _, count in counts), initial=0)
    return {
        "parts": [
            (level, start, count) for (level, count), start in zip(counts, starts, strict=False) if count
        ],
        "counts": [(level, count) for level, count in counts],
        "total": server.tool_count or 1,
        "words": ", ".join(f"{count} {labels[str(level)]}" for level, count in counts if count) or "no tools",
    }
