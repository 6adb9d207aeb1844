"""The index: one search box over servers and tools, its facets, and a page for each level of risk."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from catalog.models import CatalogServer, CatalogTool
from catalog.nearmiss import near_miss
from catalog.public import public_page
from catalog.search import PER_PAGE, SEVERITIES, Asked, Found, NoSuchPage, find, read_question
from catalog.summary import Reading, as_listed, current
from catalog.views._rows import rows_of
from catalog.views._shared import crumbs, no_page, page

_RISK = {
    "critical": "One call can be enough to do harm: it removes what may be gone for good, moves money, or "
    "reaches further than its class alone says. Anything that destroys or pays waits for a person; the rest "
    "is held to a few calls a minute.",
    "high": "It runs or starts something, grants access, or returns a secret. Limit it to a few calls a "
    "minute, or ask a person.",
    "medium": "It changes something that can be changed back. Limit how often.",
    "low": "It reads. Consider where what it reads may travel.",
}


@public_page
def index(request: HttpRequest) -> HttpResponse:
    asked = read_question(request.GET)
    try:
        found = on_a_page(find(asked, current().figures), asked)
    except NoSuchPage as none:
        return no_page(request, none)
    nothing = not found.total and not found.servers
    context = {
        "asked": asked,
        "found": found,
        "rows": rows_of(found.tools),
        "big_servers": _big_servers() if asked.is_open and asked.page == 1 else [],
        "instead": near_miss(asked.words) if nothing else "",
        "first": (asked.page - 1) * PER_PAGE + 1,
        "last": (asked.page - 1) * PER_PAGE + len(found.tools),
        "chips": _chips(asked, request),
        "quick": _quick(found, request),
        "crumbs": [("Catalogue", "")],
    }
    return page(request, "catalog/index.html", context)


def on_a_page(found: Found, asked: Asked) -> Found:
    """Raises NoSuchPage; shown, such a page would say that nothing was found."""
    if asked.page > found.pages:
        raise NoSuchPage(asked.page, found.pages)
    return found


def _big_servers() -> list[CatalogServer]:
    return list(
        CatalogServer.objects.exclude(tool_count=0).defer("search").order_by("-tool_count", "slug")[:9]
    )


def _chips(asked: Asked, request: HttpRequest) -> list[tuple[str, str]]:
    """Each filter that is set, and the address without it."""
    labels = dict(SEVERITIES)
    chips = []
    for facet, values in asked.chosen.items():
        for value in values:
            rest = request.GET.copy()
            kept = [v for v in rest.getlist(facet) if v != value and (facet != "vendor" or len(values) > 1)]
            rest.setlist(facet, kept)
            rest.pop("page", None)
            chips.append((labels.get(value, value) if facet == "severity" else value, f"?{rest.urlencode()}"))
    return chips


def _quick(found: Found, request: HttpRequest) -> list[tuple[str, str, str]]:
    """Class and severity as links, one tap each, for where there is no room for a column of boxes."""
    links = []
    for facet in ("severity", "class"):
        for option in found.facets[facet]:
            if option.count and not option.chosen:
                asked = request.GET.copy()
                asked.pop("page", None)
                asked.appendlist(facet, option.value)
                links.append((option.label, option.shown, f"?{asked.urlencode()}"))
    return links


@public_page
def risk(request: HttpRequest, level: str) -> HttpResponse:
    severity, count, tools = of_level(level, as_listed)
    counts = current().figures.get("severity", {})
    context = {
        "level": int(severity),
        "label": level.capitalize(),
        "count": count,
        "words": _RISK[level],
        "rows": rows_of(tools),
        "levels": [(label.lower(), label, int(value), counts.get(value, 0)) for value, label in SEVERITIES],
        "crumbs": crumbs((f"{level.capitalize()} risk", "")),
    }
    return page(request, "catalog/risk.html", context)


def of_level(level: str, read: Reading) -> tuple[str, int, list[CatalogTool]]:
    """The severity, how many tools have it, and the first of them."""
    levels = {label.lower(): value for value, label in SEVERITIES}
    if level not in levels:
        raise Http404
    severity = levels[level]
    here = CatalogTool.objects.filter(severity=int(severity), removed_at=None, search__isnull=False)
    tools = read(here.order_by("name_key", "id"))[:PER_PAGE]
    return severity, current().figures.get("severity", {}).get(severity, 0), list(tools)
