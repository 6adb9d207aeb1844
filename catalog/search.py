"""One search box over servers and tools, on PostgreSQL's own full-text search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.http import Http404, QueryDict

from catalog.candidates import (
    Matches,
    Question,
    exact,
    largest_servers,
    worst_ranked,
    worst_read,
)
from catalog.classifier.vocabulary import WORST_LAST, Severity
from catalog.facts import slug_of
from catalog.lexemes import asked_words
from catalog.models import CatalogServer, CatalogTool
from catalog.order import Order
from catalog.summary import (
    Reading,
    as_listed,
    at_one_moment,
    by_vendor,
    common_words,
    current,
    tools_in_order,
)
from catalog.words import name_key

# Nobody reads further, and it bounds what one question can cost. A narrower question finds the rest.
MOST_FOUND: Final = 500
PER_PAGE: Final = 50
MOST_SERVERS: Final = 6
MOST_VENDORS: Final = 8
_LONGEST_PAGE: Final = 9
LONGEST_QUESTION: Final = 200
CLASSES: Final = tuple(str(tool_class) for tool_class in reversed(WORST_LAST))
SEVERITIES: Final = tuple((str(int(level)), level.label) for level in reversed(Severity))
TRANSPORTS: Final = ("stdio", "streamable-http", "sse")
LEVELS: Final = tuple(value for value, _ in SEVERITIES)
FACETS: Final = ("class", "severity", "transport", "vendor")
_COUNTED: Final = {"class": CLASSES, "severity": LEVELS, "transport": TRANSPORTS}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed and which facets are set; except for vendors, only values that exist are kept."""

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
    def question(self) -> Question:
        return Question(
            words=tuple(self.words),
            facets=self.chosen,
            classes=self.chosen.get("class") or CLASSES,
            severities=tuple(map(int, self.chosen.get("severity") or LEVELS)),
            exact=name_key(self.text) if self.words else "",
        )


@dataclass(frozen=True, slots=True)
class Option:
    """`is_least`: there may be more than `count`, as not all that was found was counted."""

    value: str
    label: str
    count: int
    chosen: bool
    is_least: bool

    @property
    def shown(self) -> str:
        return f"{self.count:,}{'+' if self.is_least else ''}"


@dataclass(frozen=True, slots=True)
class Found:
    tools: list[CatalogTool]
    servers: list[CatalogServer]
    total: int
    is_capped: bool
    is_counted: bool
    facets: dict[str, list[Option]]
    pages: int


class NoSuchPage(Http404):
    """No link leads there. Shown as empty, or as another page, it would become an address of its own."""

    def __init__(self, page: int, pages: int) -> None:
        super().__init__()
        self.page = page
        self.pages = pages

    @property
    def words(self) -> str:
        # A number that was cut is not the one that was asked for.
        is_cut = len(str(self.page)) > _LONGEST_PAGE
        return "There is no page with so high a number" if is_cut else f"There is no page {self.page:,}"


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
    text = given.get("q", "").replace("\0", "")[:LONGEST_QUESTION].strip()
    return Asked(text, chosen, page_asked(given))


def page_asked(given: QueryDict) -> int:
    """The first page for what is not a positive whole number. NoSuchPage knows a number that was cut."""
    typed = given.get("page", "")
    digits = typed.lstrip("0") if typed.isascii() and typed.isdigit() else ""
    return int(digits[: _LONGEST_PAGE + 1] or 1)


def find(asked: Asked, figures: Mapping[str, Any], read: Reading = as_listed) -> Found:
    if asked.is_open:
        return _worst(asked, figures, read)
    with at_one_moment():
        return _matching(asked, read)


def _worst(asked: Asked, figures: Mapping[str, Any], read: Reading) -> Found:
    """The whole index, worst first; its figures were counted when it last changed."""
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
        is_counted=True,
        facets=_options(asked, counts),
        pages=_pages(min(total, MOST_FOUND)),
    )


def _matching(asked: Asked, read: Reading) -> Found:
    found = _found(asked.question)
    keys = found.keys[:MOST_FOUND]
    is_capped = found.total > MOST_FOUND or not found.is_counted
    # Vendors are counted over what can be shown, even where everything else is counted in full.
    least = () if not is_capped else ("vendor",) if found.is_counted else FACETS
    shown = keys[(asked.page - 1) * PER_PAGE : asked.page * PER_PAGE]
    return Found(
        tools=tools_in_order(shown, read),
        servers=find_servers(asked.text) if asked.page == 1 else [],
        total=found.total,
        is_capped=is_capped,
        is_counted=found.is_counted,
        facets=_options(asked, found.counts, least),
        pages=_pages(len(keys)),
    )


def _found(question: Question) -> Matches:
    common, order = common_words("tool"), Order("tool", current().order)
    found = worst_ranked(question, common, order, MOST_FOUND, _COUNTED)
    if found is None:
        found = worst_read(question, question.sought(common), MOST_FOUND + 1)
        if not found.keys:
            found = worst_read(question, question.sought_glued(common), MOST_FOUND + 1)
    return found.after(exact(question)) if found.keys else found


def find_servers(text: str, most: int = MOST_SERVERS) -> list[CatalogServer]:
    if not (words := asked_words(text)):
        return []
    keys = largest_servers(words, common_words("server"), Order("server", current().order), most)
    found = CatalogServer.objects.defer("search").in_bulk(keys) if keys else {}
    return [found[pk] for pk in keys if pk in found]


def _pages(total: int) -> int:
    return max((total + PER_PAGE - 1) // PER_PAGE, 1)


def _options(
    asked: Asked, counts: Mapping[str, Counter[str]], least: Container[str] = ()
) -> dict[str, list[Option]]:
    vendors = [(slug_of(name), name, count) for name, count in by_vendor(counts["vendor"].items())]
    labels = {
        "class": [(name, name) for name in CLASSES],
        "severity": list(SEVERITIES),
        "transport": [(name, name) for name in TRANSPORTS],
        "vendor": [(slug, name) for slug, name, _ in vendors[:MOST_VENDORS]],
    }
    counted: dict[str, Mapping[str, int]] = {**counts, "vendor": {slug: count for slug, _, count in vendors}}
    known = {slug for slug, _ in labels["vendor"]}
    labels["vendor"] += [(slug, slug) for slug in asked.chosen.get("vendor", ()) if slug not in known]
    return {
        facet: [
            Option(
                value,
                label,
                counted[facet].get(value, 0),
                value in asked.chosen.get(facet, ()),
                facet in least,
            )
            for value, label in labels[facet]
        ]
        for facet in FACETS
    }
