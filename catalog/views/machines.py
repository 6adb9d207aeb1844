"""Pages for machines: the index as JSON, sitemaps, and files that say where things are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from catalog.attacks import ATTACKS
from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.serial import server_facts
from catalog.summary import current
from catalog.views._shared import absolute
from catalog.words import slug_asked

# A part is a range of keys, not of positions: it stays the same when an earlier row is removed.
PART = 20_000
SERVERS_A_PAGE = 500


@public_page
def catalog_json(request: HttpRequest) -> HttpResponse:
    """The figures and the servers, a page at a time: `after` is the last server of the previous page."""
    after = slug_asked(request.GET.get("after", ""))
    servers = (
        CatalogServer.objects.filter(slug__gt=after).defer("search").order_by("slug")[: SERVERS_A_PAGE + 1]
    )
    rows = list(servers)
    more = len(rows) > SERVERS_A_PAGE
    body: dict[str, Any] = {
        "figures": {k: v for k, v in current().figures.items() if not k.startswith("last_")},
        "servers": [server_facts(row) for row in rows[:SERVERS_A_PAGE]],
        "next": f"{absolute(request.path)}?after={rows[SERVERS_A_PAGE - 1].slug}" if more else None,
    }
    return JsonResponse(body)


@public_page
def llms(request: HttpRequest) -> HttpResponse:
    context = {"base": settings.PUBLIC_URL.rstrip("/"), "attacks": ATTACKS, "summary": current().figures}
    return render(request, "catalog/llms.txt", context, content_type="text/plain; charset=utf-8")


@public_page
def robots(request: HttpRequest) -> HttpResponse:
    lines = [
        "User-agent: *",
        *(
            f"Disallow: {path}"
            for path in ("/accounts/", "/api/", "/catalogue/?*page=", "/catalogue/wrong-label/")
        ),
        # llms.txt links to these.
        *(f"Allow: {path}" for path in ("/api/docs/", "/api/v1/catalog/")),
        f"Sitemap: {absolute(reverse('catalog:sitemap'))}",
        "",
    ]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


@public_page
def sitemap_index(request: HttpRequest) -> HttpResponse:
    """List only parts that hold something, so that no link in it leads to a 404."""
    last = {kind: int(current().figures.get(f"last_{kind[:-1]}", 0)) // PART for kind in ("servers", "tools")}
    parts_of = [(kind, part) for kind, most in last.items() for part in range(most + 1)]
    names = ["pages", *(f"{kind}-{part}" for kind, part in parts_of if _rows(kind, part).exists())]
    parts = [absolute(reverse("catalog:sitemap-part", args=[name])) for name in names]
    return render(request, "catalog/sitemap_index.xml", {"parts": parts}, content_type="application/xml")


@public_page
def sitemap(request: HttpRequest, name: str) -> HttpResponse:
    kind, _, number = name.partition("-")
    if kind == "pages" and not number:
        places = [(absolute(path), "") for path in _fixed()]
    elif kind in ("servers", "tools") and number.isascii() and number.isdigit() and len(number) < 6:
        places = list(_places(kind, int(number)))
    else:
        raise Http404
    if not places:
        raise Http404
    return render(request, "catalog/sitemap.xml", {"places": places}, content_type="application/xml")


def _fixed() -> list[str]:
    named = [
        "home",
        "catalog:index",
        "catalog:attacks",
        "catalog:glossary",
        "catalog:contact",
        "catalog:compare",
    ]
    risks = [reverse("catalog:risk", args=[level]) for level in ("critical", "high", "medium", "low")]
    return [*map(reverse, named), *risks, *(reverse("catalog:attack", args=[one.key]) for one in ATTACKS)]


def _rows(kind: str, part: int) -> QuerySet[Any]:
    within = {"id__gte": part * PART, "id__lt": (part + 1) * PART}
    if kind == "servers":
        return CatalogServer.objects.filter(**within).exclude(status="deleted")
    # Tools of a withdrawn server keep their pages, but are found nowhere.
    return CatalogTool.objects.filter(**within, removed_at=None, search__isnull=False)


def _places(kind: str, part: int) -> Iterator[tuple[str, str]]:
    rows = _rows(kind, part).order_by("id")
    if kind == "servers":
        for slug, changed in rows.values_list("slug", "changed_at"):
            yield absolute(f"/servers/{slug}/"), changed.isoformat()
        return
    for server, slug, changed in rows.values_list("server__slug", "slug", "changed_at"):
        yield absolute(reverse("catalog:tool", args=[server, slug])), changed.isoformat()
