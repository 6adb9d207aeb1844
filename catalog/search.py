"""One box over servers and tools, with PostgreSQL's own full-text search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.http import QueryDict

from catalog.facts import slug_of
from catalog.models import CatalogServer, CatalogTool
from catalog.vocabulary import WORST_LAST, Severity
from catalog.words import asked_words, name_key, query

# Nobody reads further; it bounds what one question can cost. What lies beyond is found by asking closer.
MOST_FOUND: Final = 1000
PER_PAGE: Final = 50
MOST_SERVERS: Final = 6
MOST_VENDORS: Final = 8
LONGEST_QUESTION: Final = 200
CLASSES: Final = tuple(str(tool_class) for tool_class in reversed(WORST_LAST))
SEVERITIES: Final = tuple((str(int(level)), level.label) for level in reversed(Severity))
TRANSPORTS: Final = ("stdio", "streamable-http", "sse")
FACETS: Final = ("class", "severity", "transport", "vendor")
_FIND: Final = """
    WITH hit AS MATERIALIZED (
        SELECT id, server_id, tool_class, severity, name_key = %(key)s AS exact FROM catalog_catalogtool
        WHERE search @@ %(query)s::tsquery ORDER BY severity DESC, name_key, id LIMIT %(most)s
    )
    SELECT hit.id, hit.tool_class, hit.severity, s.transports, s.vendor, hit.exact
    FROM hit JOIN catalog_catalogserver s ON s.id = hit.server_id
    ORDER BY hit.exact DESC, hit.severity DESC, hit.id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed and which facets are set; only values that exist are kept."""

    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page: int = 1

    @property
    def is_open(self) -> bool:
        return not asked_words(self.text) and not any(self.chosen.values())

    @property
    def groups(self) -> list[list[str]]:
        return [[f"{facet}={value.lower()}" for value in values] for facet, values in self.chosen.items()]


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Found:
    tools: list[CatalogTool]
    servers: list[CatalogServer]
    total: int
    is_capped: bool
    facets: dict[str, list[Option]]
    pages: int


def read_question(given: QueryDict) -> Asked:
    allowed = {
        "class": set(CLASSES),
        "severity": {value for value, _ in SEVERITIES},
        "transport": set(TRANSPORTS),
    }
    chosen = {
        facet: tuple(v for v in dict.fromkeys(given.getlist(facet)) if v in values)
        for facet, values in allowed.items()
    }
    chosen["vendor"] = tuple(slug_of(v) for v in given.getlist("vendor")[:3] if v.strip())
    page = given.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 4 else 1
    return Asked(given.get("q", "").replace("\0", "")[:LONGEST_QUESTION].strip(), chosen, max(number, 1))


def find(asked: Asked, figures: Mapping[str, Any]) -> Found:
    return _worst(asked, figures) if asked.is_open else _matching(asked)


def _worst(asked: Asked, figures: Mapping[str, Any]) -> Found:
    """The whole index, worst first; its figures were counted when it changed."""
    start = min((asked.page - 1) * PER_PAGE, MOST_FOUND - PER_PAGE)
    order = ("-severity", "name_key", "id")
    tools = CatalogTool.objects.filter(removed_at=None, search__isnull=False).order_by(*order)
    total = int(figures.get("tools", 0))
    counts = {
        "class": Counter(figures.get("class", {})),
        "severity": Counter(figures.get("severity", {})),
        "transport": Counter(figures.get("transport", {})),
        "vendor": Counter(dict(figures.get("vendor", ()))),
    }
    return Found(
        tools=list(
            tools.select_related("server").defer("search", "server__search")[start : start + PER_PAGE]
        ),
        servers=[],
        total=total,
        is_capped=total > MOST_FOUND,
        facets=_options(asked, counts),
        pages=_pages(min(total, MOST_FOUND)),
    )


def _matching(asked: Asked) -> Found:
    parameters: dict[str, str | int] = {
        "query": query(asked.text, asked.groups),
        "key": name_key(asked.text),
        "most": MOST_FOUND + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, parameters)
        rows = cursor.fetchall()
    kept = rows[:MOST_FOUND]
    ids = [row[0] for row in kept][(asked.page - 1) * PER_PAGE : asked.page * PER_PAGE]
    by_id = (
        CatalogTool.objects.select_related("server").defer("search", "server__search").in_bulk(ids)
        if ids
        else {}
    )
    return Found(
        tools=[by_id[pk] for pk in ids if pk in by_id],
        servers=find_servers(asked.text) if asked.page == 1 else [],
        total=len(kept),
        is_capped=len(rows) > MOST_FOUND,
        facets=_options(asked, _counted(kept)),
        pages=_pages(len(kept)),
    )


def _counted(rows: list[tuple[Any, ...]]) -> dict[str, Counter[str]]:
    return {
        "class": Counter(row[1] for row in rows),
        "severity": Counter(str(row[2]) for row in rows),
        "transport": Counter(transport for row in rows for transport in row[3]),
        "vendor": Counter(row[4] for row in rows if row[4]),
    }


def find_servers(text: str, most: int = MOST_SERVERS) -> list[CatalogServer]:
    if not asked_words(text):
        return []
    found = CatalogServer.objects.extra(where=["search @@ %s::tsquery"], params=[query(text)])
    return list(found.defer("search").order_by("-tool_count", "slug")[:most])


def _pages(total: int) -> int:
    return max((total + PER_PAGE - 1) // PER_PAGE, 1)


def _options(asked: Asked, counts: Mapping[str, Counter[str]]) -> dict[str, list[Option]]:
    vendors = counts["vendor"].most_common(MOST_VENDORS)
    labels = {
        "class": [(name, name) for name in CLASSES],
        "severity": list(SEVERITIES),
        "transport": [(name, name) for name in TRANSPORTS],
        "vendor": [(slug_of(name), name) for name, _ in vendors],
    }
    known = {slug for slug, _ in labels["vendor"]}
    labels["vendor"] += [(slug, slug) for slug in asked.chosen.get("vendor", ()) if slug not in known]
    return {
        facet: [
            Option(
                value,
                label,
                counts[facet][label if facet == "vendor" else value],
                value in asked.chosen.get(facet, ()),
            )
            for value, label in labels[facet]
        ]
        for facet in FACETS
    }


def near_miss(asked: Asked) -> str:
    """A part of what was typed that does find something; empty if none does."""
    words = asked_words(asked.text)
    for word in sorted(words, key=len, reverse=True)[:3]:
        for part in (word, word[:-2]):
            if len(part) >= 3 and (len(words) > 1 or part != word):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT EXISTS (SELECT 1 FROM catalog_catalogtool WHERE search @@ %s::tsquery)",
                        [query(part)],
                    )
                    if cursor.fetchone()[0]:
                        return part
    return ""
