"""One box over servers and tools, with PostgreSQL's own full-text search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Final

from django.db import connection
from django.http import QueryDict

from catalog.candidates import Candidate, Question, any_tool, largest_servers, worst
from catalog.facts import slug_of
from catalog.lexemes import any_of, asked_words, how_many, of_glued, of_words
from catalog.models import CatalogServer, CatalogTool
from catalog.summary import Reading, as_listed, common_words, tools_in_order
from catalog.vocabulary import WORST_LAST, Severity
from catalog.words import name_key

# Nobody reads further; it bounds what one question can cost. What lies beyond is found by asking closer.
MOST_FOUND: Final = 500
PER_PAGE: Final = 50
MOST_SERVERS: Final = 6
MOST_VENDORS: Final = 8
LONGEST_QUESTION: Final = 200
CLASSES: Final = tuple(str(tool_class) for tool_class in reversed(WORST_LAST))
SEVERITIES: Final = tuple((str(int(level)), level.label) for level in reversed(Severity))
TRANSPORTS: Final = ("stdio", "streamable-http", "sse")
LEVELS: Final = tuple(value for value, _ in SEVERITIES)
FACETS: Final = ("class", "severity", "transport", "vendor")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed and which facets are set; only values that exist are kept."""

    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page: int = 1

    @property
    def words(self) -> list[str]:
        return asked_words(self.text)

    @property
    def is_open(self) -> bool:
        return not self.words and not any(self.chosen.values())

    @property
    def groups(self) -> list[list[str]]:
        """What has to hold besides the words, but for class and severity: so the index is walked."""
        return [
            [f"{facet}={value.lower()}" for value in values]
            for facet, values in self.chosen.items()
            if values and facet not in ("class", "severity")
        ]

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(v for v in LEVELS if v in (self.chosen.get("severity") or LEVELS))


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


def find(asked: Asked, figures: Mapping[str, Any], read: Reading = as_listed) -> Found:
    return _worst(asked, figures, read) if asked.is_open else _matching(asked, figures, read)


def _worst(asked: Asked, figures: Mapping[str, Any], read: Reading) -> Found:
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
        tools=list(read(tools)[start : start + PER_PAGE]),
        servers=[],
        total=total,
        is_capped=total > MOST_FOUND,
        facets=_options(asked, counts),
        pages=_pages(min(total, MOST_FOUND)),
    )


def _matching(asked: Asked, figures: Mapping[str, Any], read: Reading) -> Found:
    question = _question(asked, figures)
    found = worst(question, MOST_FOUND + 1)
    if not found and (glued := of_glued(asked.words, common_words("tool"))):
        parts = (*glued, *map(any_of, asked.groups))
        found = worst(replace(question, parts=parts, expected=0, exact=""), MOST_FOUND + 1)
    kept = found[:MOST_FOUND]
    shown = [one.pk for one in kept][(asked.page - 1) * PER_PAGE : asked.page * PER_PAGE]
    return Found(
        tools=tools_in_order(shown, read),
        servers=find_servers(asked.text) if asked.page == 1 else [],
        total=len(kept),
        is_capped=len(found) > MOST_FOUND,
        facets=_options(asked, _counted(kept)),
        pages=_pages(len(kept)),
    )


def _question(asked: Asked, figures: Mapping[str, Any]) -> Question:
    common = common_words("tool") if asked.words else {}
    total = max(int(figures.get("tools", 0)), 1)
    severities = figures.get("severity", {})
    return Question(
        parts=(*of_words(asked.words, common), *map(any_of, asked.groups)),
        classes=tuple(asked.chosen.get("class", ())),
        levels={int(level): severities.get(level, 0) / total for level in asked.levels},
        expected=total * prod(_share(asked, figures, common, total)),
        exact=name_key(asked.text) if asked.words else "",
    )


def _share(
    asked: Asked, figures: Mapping[str, Any], common: Mapping[str, int], total: int
) -> Iterator[float]:
    """Of each term, about what part of the index has it."""
    yield from (how_many(word, common) / total for word in asked.words)
    vendors = {slug_of(name): count for name, count in figures.get("vendor", ())}
    for facet, values in asked.chosen.items():
        counts = vendors if facet == "vendor" else figures.get(facet, {})
        if values:
            yield min(sum(counts.get(value, 0) for value in values) / total, 1.0)


def _counted(rows: list[Candidate]) -> dict[str, Counter[str]]:
    of_server = Counter(row.server for row in rows)
    transports, vendors = Counter[str](), Counter[str]()
    for pk, vendor, kinds in _kinds_of(list(of_server)):
        transports.update(dict.fromkeys(kinds, of_server[pk]))
        vendors.update({vendor: of_server[pk]} if vendor else {})
    return {
        "class": Counter(row.tool_class for row in rows),
        "severity": Counter(str(row.severity) for row in rows),
        "transport": transports,
        "vendor": vendors,
    }


def _kinds_of(servers: list[int]) -> list[tuple[int, str, list[str]]]:
    # By hand: written out as five hundred parameters it costs more than everything else of a search.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, vendor, transports FROM catalog_catalogserver WHERE id = ANY(%s)", [servers]
        )
        found: list[tuple[int, str, list[str]]] = cursor.fetchall()
    return found


def find_servers(text: str, most: int = MOST_SERVERS) -> list[CatalogServer]:
    if not (words := asked_words(text)):
        return []
    keys = largest_servers(of_words(words, common_words("server")), most)
    found = CatalogServer.objects.defer("search").in_bulk(keys)
    return [found[pk] for pk in keys if pk in found]


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
    words, common = asked.words, common_words("tool")
    for word in sorted(words, key=len, reverse=True)[:3]:
        for part in (word, word[:-2]):
            if len(part) >= 3 and (len(words) > 1 or part != word) and any_tool(of_words([part], common)):
                return part
    return ""
