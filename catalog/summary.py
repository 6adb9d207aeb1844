"""The figures that every page shows, counted once per change of the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, TypeAlias

from django.db import connection, transaction
from django.db.models import Count, Max, QuerySet, Sum

from catalog.facts import slug_of
from catalog.models import CatalogServer, CatalogSummary, CatalogTool
from catalog.ordering import order_anew
from catalog.picks import picks
from catalog.rules import digest, digest_of_lexemes

MOST_VENDORS = 30
# What a list shows of a tool. The rest, above all the evidence, is most of the row.
LISTED: Final = (
    *("name", "slug", "tool_class", "severity", "confidence", "needs_review", "signals", "removed_at"),
    *("server__slug", "server__title"),
)
Reading: TypeAlias = Callable[["QuerySet[CatalogTool]"], "QuerySet[CatalogTool]"]
_held: ContextVar[CatalogSummary | None] = ContextVar("catalog_summary", default=None)
# A term that at least this many tools, or servers, have is stored in their order (`catalog.ordering`).
COMMON = {"tool": 500, "server": 500}
_COMMON_TERMS = """
    SELECT word, ndoc FROM ts_stat('SELECT search FROM catalog_catalog{kind} WHERE search IS NOT NULL')
    WHERE ndoc >= %s AND (position('=' in word) = 0 OR word LIKE 'vendor=%%') AND word NOT LIKE '~%%'
    ORDER BY word
"""


@transaction.atomic
def count_anew() -> CatalogSummary:
    summary, _ = CatalogSummary.objects.select_for_update().get_or_create(pk=1)
    summary.figures = _figures()
    if not summary.revision:
        summary.classifier, summary.lexemes = digest(), digest_of_lexemes()
    terms = {kind: _common_terms(kind, least) for kind, least in COMMON.items()}
    summary.words = {
        kind: {term: count for term, count in found.items() if "=" not in term}
        for kind, found in terms.items()
    }
    summary.picks = picks()
    summary.revision += 1
    summary.order = order_anew(summary.order, terms)
    summary.save()
    return summary


def current() -> CatalogSummary:
    """The current figures. The object is shared: nobody may change it."""
    return _held.get() or _read()


@contextmanager
def at_one_moment() -> Iterator[CatalogSummary]:
    """Hold the figures still: a page shows one revision from its ETag to its last line."""
    token = _held.set(current())
    try:
        yield current()
    finally:
        _held.reset(token)


def _read() -> CatalogSummary:
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text || ' ' || ctid::text FROM catalog_catalogsummary WHERE id = 1")
        row = cursor.fetchone()
    return _kept(row[0]) if row else CatalogSummary()


@lru_cache(maxsize=2)
def _kept(version: str) -> CatalogSummary:
    """Cached by the row's version, which no other row and no other moment has."""
    return CatalogSummary.objects.filter(pk=1).first() or CatalogSummary()


def common_words(kind: str) -> Mapping[str, int]:
    """Words that very many tools or servers have, and how many have each. Changes only with the index."""
    words: Mapping[str, int] = current().words.get(kind, {})
    return words


def picked(name: str) -> list[int]:
    """The keys of the tools a page shows as examples; chosen when the index changed."""
    return list(current().picks.get(name, ()))


def in_full(tools: QuerySet[CatalogTool]) -> QuerySet[CatalogTool]:
    return tools.select_related("server").defer("search", "server__search")


def as_listed(tools: QuerySet[CatalogTool]) -> QuerySet[CatalogTool]:
    return tools.select_related("server").only(*LISTED)


def tools_in_order(keys: list[int], read: Reading = as_listed) -> list[CatalogTool]:
    known = read(CatalogTool.objects.all()).in_bulk(keys)
    return [known[key] for key in keys if key in known and known[key].removed_at is None]


def _common_terms(kind: str, least: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_COMMON_TERMS.format(kind=kind), [least])
        return dict(cursor.fetchall())


def _figures() -> dict[str, Any]:
    tools = CatalogTool.objects.filter(removed_at=None, search__isnull=False)
    servers = CatalogServer.objects.exclude(status=CatalogServer.Status.DELETED)
    return {
        "servers": servers.count(),
        "tools": tools.count(),
        "needs_review": tools.filter(needs_review=True).count(),
        "class": dict(tools.values_list("tool_class").annotate(n=Count("id")).order_by()),
        "severity": {str(k): n for k, n in tools.values_list("severity").annotate(n=Count("id")).order_by()},
        "provenance": dict(tools.values_list("provenance").annotate(n=Count("id")).order_by()),
        "transport": _transports(servers),
        "vendor": _vendors(servers),
        "last_checked": str(servers.aggregate(last=Max("checked_at"))["last"] or ""),
        "last_tool": tools.aggregate(last=Max("id"))["last"] or 0,
        "last_server": servers.aggregate(last=Max("id"))["last"] or 0,
    }


def _transports(servers: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for transports, count in servers.values_list("transports").annotate(n=Sum("tool_count")).order_by():
        for transport in transports:
            found[transport] = found.get(transport, 0) + count
    return found


def _vendors(servers: Any) -> list[tuple[str, int]]:
    named = servers.exclude(vendor="").exclude(tool_count=0)
    return by_vendor(named.values_list("vendor").annotate(n=Sum("tool_count")).order_by())[:MOST_VENDORS]


def by_vendor(named: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The most first. Spellings with the same slug are found together, so they are counted together, by the
    one that most tools have."""
    totals: Counter[str] = Counter()
    names: dict[str, str] = {}
    for name, count in sorted(named, key=lambda one: (-one[1], one[0])):
        slug = slug_of(name)
        totals[names.setdefault(slug, name)] += count
    return sorted(totals.items(), key=lambda one: (-one[1], one[0]))
