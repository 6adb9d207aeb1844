"""Reads which tools of a server are asked for: part of a name, class, severity, signals, and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.http import urlencode

from catalog import prose
from catalog.models import CatalogTool
from catalog.search import CLASSES, SEVERITIES, NoSuchPage, page_asked
from catalog.whole import worst_first
from catalog.words import slug_asked

PER_PAGE = 100
_LABELS = {
    "class": {name: name for name in CLASSES},
    "severity": dict(SEVERITIES),
    "signal": prose.SIGNAL_TITLES,
}
_LEGENDS = {"class": "Class", "severity": "Severity", "signal": "Signals"}
_COLUMNS = {"class": "tool_class__in", "severity": "severity__in", "signal": "signals__overlap"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; only values that exist are kept."""

    text: str
    chosen: Mapping[str, tuple[str, ...]]
    page: int

    @property
    def is_all(self) -> bool:
        return not self.text and not any(self.chosen.values())

    def of(self, tools: QuerySet[CatalogTool]) -> QuerySet[CatalogTool]:
        if self.text:
            tools = tools.filter(name__icontains=self.text)
        return tools.filter(
            **{_COLUMNS[name]: list(values) for name, values in self.chosen.items() if values}
        )

    def address(self, *, page: int = 1, without: tuple[str, str] = ("", "")) -> str:
        """The query string, always the same for the same question."""
        asked = [("q", self.text)] if self.text else []
        asked += [(n, v) for n, values in self.chosen.items() for v in values if (n, v) != without]
        return urlencode([*asked, ("page", str(page))] if page > 1 else asked)

    @property
    def chips(self) -> list[tuple[str, str]]:
        """Each filter that is set, and the query string without it."""
        return [
            (_LABELS[name][value], self.address(without=(name, value)))
            for name, values in self.chosen.items()
            for value in values
        ]


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    pages: int
    shown: int
    first: int
    last: int
    before: str
    after: str


def read_wanted(given: QueryDict) -> Wanted:
    chosen = {
        name: tuple(value for value in dict.fromkeys(given.getlist(name)) if value in labels)
        for name, labels in _LABELS.items()
    }
    return Wanted(slug_asked(given.get("q", ""))[:100].strip(), chosen, page_asked(given))


def paged(wanted: Wanted, tools: QuerySet[CatalogTool]) -> tuple[Page, list[CatalogTool]]:
    """The page and its tools. Raises NoSuchPage."""
    found = wanted.of(tools)
    shown = found.count()
    pages = max(ceil(shown / PER_PAGE), 1)
    if wanted.page > pages:
        raise NoSuchPage(wanted.page, pages)
    start = (wanted.page - 1) * PER_PAGE
    here = list(worst_first(found)[start : start + PER_PAGE])
    before = wanted.address(page=wanted.page - 1) if wanted.page > 2 else wanted.address()
    after = wanted.address(page=wanted.page + 1) if wanted.page < pages else ""
    return Page(wanted.page, pages, shown, start + 1, start + len(here), before, after), here


def facets(
    wanted: Wanted, counts: Mapping[str, Mapping[str, int]]
) -> list[tuple[str, str, list[tuple[str, str, int, bool]]]]:
    """Counts over all tools of the server, whatever is chosen; a signal that no tool has is left out."""
    found = []
    for name, labels in _LABELS.items():
        options = [
            (value, label, counts[name].get(value, 0), value in wanted.chosen[name])
            for value, label in labels.items()
            if value in counts[name] or name != "signal"
        ]
        found.append((name, _LEGENDS[name], options))
    return found
