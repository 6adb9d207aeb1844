"""One server with all its tools."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import urlencode

from catalog.advice import ServerAdvice
from catalog.models import CatalogServer
from catalog.public import public_page
from catalog.search import CLASSES, NoSuchPage, find_servers
from catalog.serial import server_facts, tool_facts
from catalog.views._server import bar, rows_under
from catalog.views._shared import absolute, crumbs, no_page, page
from catalog.views._wanted import facets, paged, read_wanted
from catalog.whole import Whole, tools_of, whole

# Shown only on a tool's own page, and most of its row.
_NOT_LISTED = ("search", "evidence", "annotations", "choices", "params")


def find(slug: str) -> CatalogServer:
    return get_object_or_404(CatalogServer.objects.defer("search"), slug=slug)


@public_page
def server(request: HttpRequest, server_slug: str) -> HttpResponse:
    found, wanted = find(server_slug), read_wanted(request.GET)
    known = whole(found)
    try:
        part, here = paged(wanted, tools_of(found).defer(*_NOT_LISTED))
    except NoSuchPage as none:
        return no_page(request, none)
    for tool in here:
        tool.server = found
    context = {
        "server": found,
        "rows": rows_under(known.advice, here),
        "part": part,
        "total": known.total,
        "facets": facets(wanted, known.counts),
        "wanted": wanted,
        "bar": bar(found),
        # The same on all pages of a server, and perhaps the longest part of each: only the first shows it.
        "policy": known.advice.text if wanted.is_all and part.number == 1 else "",
        "policy_lines": _policy_lines(known.advice),
        "undone": (found.by_class or [0] * 5)[3] + (found.by_class or [0] * 5)[4],
        "similar": _similar(found),
        "provenance": _provenance(known),
        "crumbs": crumbs(*_vendor_crumb(found), (found.title, "")),
    }
    own = found.get_absolute_url()
    beyond = f"{own}?page={part.number}" if wanted.is_all and part.number > 1 else own
    return page(request, "catalog/server.html", context, about=found.title, canonical=beyond, ld=[_ld(found)])


@public_page
def in_lower_case(request: HttpRequest, server_slug: str, rest: str = "") -> HttpResponse:
    """An address typed with capitals leads to the one that the server has."""
    slug = find(server_slug.lower()).slug
    return redirect(request.get_full_path().replace(server_slug, slug, 1), permanent=True)


@public_page
def from_its_tools(request: HttpRequest, server_slug: str) -> HttpResponse:
    """The address of a tool, cut short, leads to its server."""
    return redirect(find(server_slug), permanent=True)


def _policy_lines(advice: ServerAdvice) -> list[tuple[str, str, str]]:
    """`(effect, how many, sentence)`: what the whole policy does, counted from `effects`."""
    lines = []
    for effect, sentence in (
        ("allowed", "are allowed without limit"),
        ("limited", "are limited, each by itself"),
        ("conditional", "are allowed under conditions"),
        ("needs_approval", "wait for a person"),
        ("denied", "are denied"),
    ):
        if count := advice.counts.get(effect, 0):
            of = sorted(advice.classes[effect], key=CLASSES.index)
            lines.append(
                (
                    effect,
                    str(count),
                    f"{' and '.join(of)} tools {sentence}" if len(of) < 3 else f"tools {sentence}",
                )
            )
    return lines


def _provenance(known: Whole) -> str:
    words = {
        "served": "Listed by the server itself",
        "published": "From a published list",
        "parsed": "Parsed from source",
    }
    how = " and ".join(words[kind] for kind in known.provenances if kind in words)
    return f"{how}: {known.sources[0]}" if len(known.sources) == 1 else how


def _vendor_crumb(server: CatalogServer) -> list[tuple[str, str]]:
    return [(server.vendor, f"/catalogue/?{urlencode({'vendor': server.vendor})}")] if server.vendor else []


def _similar(server: CatalogServer) -> list[CatalogServer]:
    """Other servers of the vendor first, then others that the longest word of the title finds."""
    same = CatalogServer.objects.exclude(pk=server.pk).exclude(tool_count=0).defer("search")
    found = (
        list(same.filter(vendor=server.vendor).order_by("-tool_count", "slug")[:4]) if server.vendor else []
    )
    if len(found) < 4:
        word = max(server.title.replace("MCP", "").replace("Server", "").split() or [""], key=len)
        known = {server.pk, *(one.pk for one in found)}
        found += [one for one in find_servers(word, 8) if one.pk not in known and one.tool_count][
            : 4 - len(found)
        ]
    return found


def _ld(server: CatalogServer) -> dict[str, Any]:
    return {
        "@context": "https://schema.org",
        "@type": "SoftwareApplication",
        "name": server.title,
        "applicationCategory": "MCP server",
        **({"softwareVersion": server.version} if server.version else {}),
        "url": absolute(server.get_absolute_url()),
        "dateModified": server.changed_at.isoformat(),
    }


@public_page
def server_json(request: HttpRequest, server_slug: str) -> HttpResponse:
    """One page of its tools; the figures and the policy cover all of them."""
    found, wanted = find(server_slug), read_wanted(request.GET)
    part, here = paged(wanted, tools_of(found).defer("search"))
    for tool in here:
        tool.server = found
    advice = whole(found).advice
    return JsonResponse(
        {
            **server_facts(found),
            "policy": advice.text,
            "policy_does": dict(advice.counts),
            "tools": [tool_facts(tool) for tool in here],
            "next": f"{absolute(request.path)}?{part.after}" if part.after else None,
        }
    )
