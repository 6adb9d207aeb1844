"""The front door: what the product does, and what the index holds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.models import CatalogTool
from catalog.public import public_page
from catalog.search import SEVERITIES
from catalog.summary import current
from catalog.views._shared import absolute, page
from catalog.views.recommended import recommended_pill

# One of each kind, worst first; two of what destroys.
_EXAMPLES = {"Financial": 1, "Destructive": 2, "Execute": 1, "Write": 1, "Read": 1}


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
    for tool_class, most in _EXAMPLES.items():
        surest = known.filter(tool_class=tool_class, confidence__gte=0.9, name_key__contains="_")
        found += (
            surest.order_by("-severity", "id")[:most]
            if tool_class != "Read"
            else surest.order_by("id")[:most]
        )
    return found
