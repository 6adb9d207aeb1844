"""What every page of the catalogue needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse

from catalog.forms import LONGEST_ABOUT, ContactForm, stamp
from catalog.search import NoSuchPage
from catalog.summary import current
from common.templatetags._text import visible_plain

Crumbs = list[tuple[str, str]]


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    about: str = "",
    canonical: str = "",
    ld: Iterable[dict[str, Any]] = (),
    status: int = 200,
) -> HttpResponse:
    """Render a page. `canonical`: the path that it is known by, without parameters that only filter it."""
    own = canonical or request.path
    steps: Crumbs = context.get("crumbs", [])
    contact = {"about": visible_plain(about)[:LONGEST_ABOUT], "proof": stamp(), "page": own}
    shared = {
        "summary": current().figures,
        "canonical": absolute(own),
        "as_json": _as_json(request),
        "preview": absolute(static("preview.png")),
        "contact": ContactForm(initial=contact),
        # Nothing on these pages needs one, and it would differ from response to response.
        "csp_nonce": None,
        # One step alone is no trail, to a search engine as to a reader.
        "ld": [*([_breadcrumbs(steps)] if len(steps) > 1 else []), *ld],
    }
    return render(request, template, {**shared, **context}, status=status)


def no_page(request: HttpRequest, none: NoSuchPage) -> HttpResponse:
    query = request.GET.copy()
    query["page"] = str(none.pages)
    last = f"?{query.urlencode()}"
    del query["page"]
    context = {"none": none, "first": f"{request.path}?{query.urlencode()}".removesuffix("?"), "last": last}
    return page(request, "catalog/no_page.html", {**context, "as_json": "", "crumbs": crumbs()}, status=404)


def _as_json(request: HttpRequest) -> str:
    """The address of the same page as JSON; empty for forms and for what is not in the catalogue."""
    try:
        resolve(path := f"{request.path.rstrip('/')}.json")
    except Resolver404:
        return ""
    query = request.META.get("QUERY_STRING", "")
    return absolute(f"{path}?{query}" if query else path)


def absolute(path: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def crumbs(*steps: tuple[str, str]) -> Crumbs:
    return [("Catalogue", reverse("catalog:index")), *steps]


def _breadcrumbs(steps: Crumbs) -> dict[str, Any]:
    items = [
        {"@type": "ListItem", "position": number, "name": words, **({"item": absolute(href)} if href else {})}
        for number, (words, href) in enumerate(steps, 1)
    ]
    return {"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": items}
