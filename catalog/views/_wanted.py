"""Which tools of one server are asked for: a part of a name, class, severity, signals, and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from django.http import Http404, QueryDict
from django.utils.http import urlencode

from catalog import prose
from catalog.models import CatalogTool
from catalog.search import CLASSES, SEVERITIES

PER_PAGE = 100
_LABELS = {
    "class": {name: name for name in CLASSES},
    "severity": dict(SEVERITIES),
    "signal": prose.SIGNAL_TITLES,
}
_LEGENDS = {"class": "Class", "severity": "Severity", "signal": "Signals"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Only values that exist are kept."""

    text: str
    chosen: Mapping[str, tuple[str, ...]]
    page: int

    @property
    def is_all(self) -> bool:
        return not self.text and not any(self.chosen.values())

    def of(self, tools: list[CatalogTool]) -> list[CatalogTool]:
        return tools if self.is_all else [tool for tool in tools if self._takes(tool)]

    def _takes(self, tool: CatalogTool) -> bool:
        if self.text.casefold() not in tool.name.casefold():
            return False
        return all(not values or values & _values(tool, name) for name, values in self._sets())

    def _sets(self) -> Iterator[tuple[str, set[str]]]:
        return ((name, set(values)) for name, values in self.chosen.items())

    def address(self, *, page: int = 1, without: tuple[str, str] = ("", "")) -> str:
        """What stands after the `?`, the same for whoever asks the same."""
        asked = [("q", self.text)] if self.text else []
        asked += [(n, v) for n, values in self.chosen.items() for v in values if (n, v) != without]
        return urlencode([*asked, ("page", str(page))] if page > 1 else asked)

    @property
    def chips(self) -> list[tuple[str, str]]:
        """Each filter that is set, and the address without it."""
        return [
            (_LABELS[name][value], self.address(without=(name, value)))
            for name, values in self.chosen.items()
            for value in values
        ]


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    pages: int
    first: int
    last: int
    before: str
    after: str


def read_wanted(given: QueryDict) -> Wanted:
    chosen = {
        name: tuple(value for value in dict.fromkeys(given.getlist(name)) if value in labels)
        for name, labels in _LABELS.items()
    }
    return Wanted(given.get("q", "")[:100].strip(), chosen, _number(given.get("page", "1")))


def _number(typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) < 5 and int(typed)):
        raise Http404
    return int(typed)


def paged(wanted: Wanted, shown: list[CatalogTool]) -> tuple[Page, list[CatalogTool]]:
    """A page nobody can be led to is not found, so that it is never an address of its own."""
    pages = max(ceil(len(shown) / PER_PAGE), 1)
    if wanted.page > pages:
        raise Http404
    here = shown[(wanted.page - 1) * PER_PAGE : wanted.page * PER_PAGE]
    start = (wanted.page - 1) * PER_PAGE
    before = wanted.address(page=wanted.page - 1) if wanted.page > 2 else wanted.address()
    after = wanted.address(page=wanted.page + 1) if wanted.page < pages else ""
    return Page(wanted.page, pages, start + 1, start + len(here), before, after), here


def facets(
    wanted: Wanted, tools: list[CatalogTool]
) -> list[tuple[str, str, list[tuple[str, str, int, bool]]]]:
    """Counted over all tools of the server, whatever is chosen; a signal none of them has is left out."""
    found = []
    for name, labels in _LABELS.items():
        counts = Counter(value for tool in tools for value in _values(tool, name))
        options = [
            (value, label, counts[value], value in wanted.chosen[name])
            for value, label in labels.items()
            if counts[value] or name != "signal"
        ]
        found.append((name, _LEGENDS[name], options))
    return found


def _values(tool: CatalogTool, name: str) -> set[str]:
    match name:
        case "class":
            return {tool.tool_class}
        case "severity":
            return {str(tool.severity)}
        case _:
            return set(tool.signals)
