"""A server as a whole: its tools worst first, their counts, and what we recommend for all of them.

None of it depends on the request. For a server of many tools it is computed once per version of the server's
row, which every import and every new class of a tool rewrites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.db import connection
from django.db.models import Case, Func, IntegerField, QuerySet, Value, When

from catalog.advice import Listed, ServerAdvice, advise_server
from catalog.classifier.vocabulary import WORST_LAST
from catalog.models import CatalogServer, CatalogTool
from catalog.rules import verdict_of

# Up to FEW tools are computed faster than looked up; of larger servers at most _MOST_KEPT are cached.
FEW: Final = 100
_MOST_KEPT: Final = 32
_JUDGED: Final = ("name", "tool_class", "severity", "confidence", "needs_review", "signals", "source")
_RANK: Final = Case(
    *(When(tool_class=str(each), then=Value(rank)) for rank, each in enumerate(WORST_LAST)),
    default=Value(len(WORST_LAST)),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class Whole:
    """`sources`: every place its tools are known from; if there are more than two, the first two."""

    total: int
    advice: ServerAdvice
    counts: Mapping[str, Mapping[str, int]]
    provenances: tuple[str, ...]
    sources: tuple[str, ...]


def tools_of(server: CatalogServer) -> QuerySet[CatalogTool]:
    return CatalogTool.objects.filter(server=server, removed_at=None)


def worst_first(tools: QuerySet[CatalogTool]) -> QuerySet[CatalogTool]:
    # By code point: the order of a language's collation differs from machine to machine.
    return tools.order_by("-severity", _RANK.desc(), Func("name", template='%(expressions)s COLLATE "C"'))


def whole(server: CatalogServer) -> Whole:
    if server.tool_count <= FEW:
        return _worked_out(server.pk)
    return _kept(server.pk, _version(server.pk))


def _version(pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xmin::text || ' ' || ctid::text FROM catalog_catalogserver WHERE id = %s", [pk]
        )
        row = cursor.fetchone()
    return str(row[0]) if row else ""


@lru_cache(maxsize=_MOST_KEPT)
def _kept(pk: int, version: str) -> Whole:
    return _worked_out(pk)


def _worked_out(pk: int) -> Whole:
    rows = worst_first(CatalogTool.objects.filter(server=pk, removed_at=None))
    tools = list(rows.only(*_JUDGED, "provenance"))
    return Whole(
        total=len(tools),
        # The policy of a whole server says nothing about arguments, so they are left out here.
        advice=advise_server(Listed(tool.name, (), verdict_of(tool)) for tool in tools),
        counts={
            "class": Counter(tool.tool_class for tool in tools),
            "severity": Counter(str(tool.severity) for tool in tools),
            "signal": Counter(signal for tool in tools for signal in set(tool.signals)),
        },
        provenances=tuple(sorted({tool.provenance for tool in tools})),
        sources=tuple(sorted({tool.source for tool in tools if tool.source})[:2]),
    )
