"""One server with all its tools."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.http import urlencode

from catalog.advice import ServerAdvice
from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.search import CLASSES, find_servers
from catalog.serial import server_facts, tool_facts
from catalog.views._server import advice_for, bar, rows_under, tools_of
from catalog.views._shared import absolute, crumbs, page
from catalog.views._wanted import facets, paged, read_wanted


def find(slug: str) -> CatalogServer:
    return get_object_or_404(CatalogServer.objects.defer("search"), slug=slug)


@public_page
def server(request: HttpRequest, server_slug: str) -> HttpResponse:
    found, wanted = find(server_slug), read_wanted(request.GET)
    tools = tools_of(found)
    advice = advice_for(tools)
    matching = wanted.of(tools)
    part, here = paged(wanted, matching)
    context = {
        "server": found,
        "rows": rows_under(advice, here),
        "part": part,
        "shown": len(matching),
        "total": len(tools),
        "facets": facets(wanted, tools),
        "wanted": wanted,
        "bar": bar(found),
        "advice": advice,
        "policy_lines": _policy_lines(tools, advice),
        "undone": (found.by_class or [0] * 5)[3] + (found.by_class or [0] * 5)[4],
        "similar": _similar(found),
        "provenance": _provenance(tools),
        "crumbs": crumbs(*_vendor_crumb(found), (found.title, "")),
    }
    own = found.get_absolute_url()
    beyond = f"{own}?page={part.number}" if wanted.is_all and part.number > 1 else own
    return page(request, "catalog/server.html", context, about=found.title, canonical=beyond, ld=[_ld(found)])


def _policy_lines(tools: list[CatalogTool], advice: ServerAdvice) -> list[tuple[str, str, str]]:
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
            of = sorted(
                {t.tool_class for t in tools if str(advice.effects[t.name]) == effect}, key=CLASSES.index
            )
            lines.append(
                (
                    effect,
                    str(count),
                    f"{' and '.join(of)} tools {sentence}" if len(of) < 3 else f"tools {sentence}",
                )
            )
    return lines


def _provenance(tools: list[CatalogTool]) -> str:
    kinds = {tool.provenance for tool in tools}
    sources = sorted({tool.source for tool in tools if tool.source})
    words = {
        "served": "Listed by the server itself",
        "published": "From a published list",
        "parsed": "Parsed from source",
    }
    how = " and ".join(words[kind] for kind in sorted(kinds) if kind in words)
    return f"{how}: {sources[0]}" if len(sources) == 1 else how


def _vendor_crumb(server: CatalogServer) -> list[tuple[str, str]]:
    return [(server.vendor, f"/catalogue/?{urlencode({'vendor': server.vendor})}")] if server.vendor else []


def _similar(server: CatalogServer) -> list[CatalogServer]:
    """Others of the vendor first, then others whose titles share a word."""
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
        "softwareVersion": server.version,
        "url": absolute(server.get_absolute_url()),
        "dateModified": server.changed_at.isoformat(),
    }


@public_page
def server_json(request: HttpRequest, server_slug: str) -> HttpResponse:
    """A page of its tools at a time; the figures and the policy are of all of them."""
    found, wanted = find(server_slug), read_wanted(request.GET)
    tools = tools_of(found)
    part, here = paged(wanted, wanted.of(tools))
    whole = found.tools.defer("search").in_bulk([tool.pk for tool in here])
    return JsonResponse(
        {
            **server_facts(found),
            "policy": advice_for(tools).text,
            "tools": [tool_facts(whole[tool.pk]) for tool in here if tool.pk in whole],
            "next": f"{absolute(request.path)}?{part.after}" if part.after else None,
        }
    )
