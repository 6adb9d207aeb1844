"""The front door: what the product does, and what the index holds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.models import CatalogTool
from catalog.public import public_page
from catalog.search import SEVERITIES
from catalog.summary import current
from catalog.views._shared import absolute, page
from catalog.views.recommended import recommended_pill
from catalog.vocabulary import WORST_LAST

# One of each kind, worst first: the classes, with those that were raised before those that were not.
_PER_CLASS = 2
_MOST = 6


@public_page
def home(request: HttpRequest) -> HttpResponse:
    figures = current().figures
    context = {
        "rows": [(tool, recommended_pill(tool)) for tool in _examples()],
        "shares": [
            (int(value), label.lower(), figures.get("severity", {}).get(value, 0))
            for value, label in SEVERITIES
        ]
        if figures
        else [],
    }
    site = {
        "@context": "https://schema.org",
        "@type": "WebSite",
        "name": "PolicyLayer",
        "url": absolute("/"),
        "potentialAction": {
            "@type": "SearchAction",
            "target": absolute("/catalogue/?q={search_term_string}"),
            "query-input": "required name=search_term_string",
        },
    }
    return page(request, "pages/home.html", context, ld=[site])


def _examples() -> list[CatalogTool]:
    known = (
        CatalogTool.objects.filter(removed_at=None).select_related("server").defer("search", "server__search")
    )
    found: list[CatalogTool] = []
    for tool_class in reversed(WORST_LAST):
        found += known.filter(tool_class=str(tool_class), needs_review=False).order_by(
            "-severity", "name_key"
        )[:_PER_CLASS]
    return sorted(found, key=lambda tool: -tool.severity)[:_MOST]
