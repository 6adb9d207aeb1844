"""The home page: what the product does, and what the index holds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.public import public_page
from catalog.search import SEVERITIES
from catalog.summary import current, picked, tools_in_order
from catalog.views._rows import rows_of
from catalog.views._shared import absolute, page


@public_page
def home(request: HttpRequest) -> HttpResponse:
    figures = current().figures
    context = {
        "rows": rows_of(tools_in_order(picked("home"))),
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
