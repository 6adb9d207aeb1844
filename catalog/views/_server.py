"""A server of the index under its recommended policy, as the pages about servers show it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from catalog import prose
from catalog.advice import ServerAdvice
from catalog.classifier.vocabulary import ToolClass
from catalog.models import CatalogServer, CatalogTool
from catalog.recommend import CALLS_A_MINUTE
from catalog.rules import verdict_of
from catalog.search import SEVERITIES
from catalog.views._rows import Row
from policies.language.effects import Effect


def rows_under(advice: ServerAdvice, tools: Iterable[CatalogTool]) -> list[Row]:
    """Each tool under the server's policy. One that was imported after the advice was computed is denied."""
    return [_row(tool, str(advice.effects.get(tool.name, Effect.DENIED))) for tool in tools]


def _row(tool: CatalogTool, effect: str) -> Row:
    return Row(tool, effect, _pill(tool, effect), prose.because(verdict_of(tool)))


def _pill(tool: CatalogTool, effect: str) -> str:
    match effect:
        case "allowed":
            return "Allow"
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
