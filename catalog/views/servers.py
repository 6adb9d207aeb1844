"""One server with all its tools, and two beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404

from catalog import prose
from catalog.advice import Listed, ServerAdvice, advise_server
from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.recommend import CALLS_A_MINUTE
from catalog.rules import classification_of
from catalog.search import CLASSES, SEVERITIES, find_servers
from catalog.serial import server_facts, tool_facts
from catalog.views._shared import absolute, crumbs, page
from catalog.vocabulary import WORST_LAST, ToolClass
from catalog.words import slug_asked

PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Row:
    tool: CatalogTool
    effect: str
    words: str
    because: str


def find(slug: str) -> CatalogServer:
    return get_object_or_404(CatalogServer.objects.defer("search"), slug=slug)


@public_page
def server(request: HttpRequest, server_slug: str) -> HttpResponse:
    found = find(server_slug)
    tools = tools_of(found)
    advice = _advice(tools)
    rows = [_row(tool, advice) for tool in tools]
    shown = _filtered(rows, request.GET)
    context = {
        "server": found,
        "rows": shown[:PER_PAGE],
        "left_out": max(len(shown) - PER_PAGE, 0),
        "shown": len(shown),
        "total": len(rows),
        "facets": _facets(rows, request.GET),
        "wanted": _chosen(request.GET),
        "text": request.GET.get("q", "")[:100],
        "bar": _bar(found),
        "advice": advice,
        "policy_lines": _policy_lines(tools, advice),
        "undone": (found.by_class or [0] * 5)[3] + (found.by_class or [0] * 5)[4],
        "similar": _similar(found),
        "provenance": _provenance(tools),
        "crumbs": crumbs(*_vendor_crumb(found), (found.title, "")),
    }
    return page(
        request,
        "catalog/server.html",
        context,
        about=found.title,
        canonical=found.get_absolute_url(),
        ld=[_ld(found)],
    )


def tools_of(server: CatalogServer) -> list[CatalogTool]:
    tools = list(server.tools.filter(removed_at=None).defer("search").order_by("-severity", "name"))
    ranks = {str(tool_class): rank for rank, tool_class in enumerate(WORST_LAST)}
    for tool in tools:
        tool.server = server
    return sorted(tools, key=lambda tool: (-tool.severity, -ranks[tool.tool_class], tool.name))


def _advice(tools: list[CatalogTool]) -> ServerAdvice:
    return advise_server(
        Listed(tool.name, tuple((n, k, r) for n, k, r in tool.params), classification_of(tool))
        for tool in tools
    )


def _row(tool: CatalogTool, advice: ServerAdvice) -> Row:
    effect = str(advice.effects[tool.name])
    return Row(tool, effect, _pill(tool, effect), prose.because(classification_of(tool)))


def _pill(tool: CatalogTool, effect: str) -> str:
    match effect:
        case "limited":
            return f"{CALLS_A_MINUTE[ToolClass(tool.tool_class)]}/min"
        case "needs_approval":
            return "Approval"
        case _:
            return ""


def _chosen(given: QueryDict) -> dict[str, list[str]]:
    known = {
        "class": set(CLASSES),
        "severity": {value for value, _ in SEVERITIES},
        "signal": set(prose.SIGNAL_TITLES),
    }
    return {
        name: [value for value in given.getlist(name) if value in values] for name, values in known.items()
    }


def _filtered(rows: list[Row], given: QueryDict) -> list[Row]:
    chosen, text = _chosen(given), given.get("q", "")[:100].casefold().strip()
    return [
        row
        for row in rows
        if (not text or text in row.tool.name.casefold())
        and (not chosen["class"] or row.tool.tool_class in chosen["class"])
        and (not chosen["severity"] or str(row.tool.severity) in chosen["severity"])
        and (not chosen["signal"] or set(chosen["signal"]) & set(row.tool.signals))
    ]


def _facets(rows: list[Row], given: QueryDict) -> list[tuple[str, str, list[tuple[str, str, int, bool]]]]:
    chosen = _chosen(given)
    classes = Counter(row.tool.tool_class for row in rows)
    severities = Counter(str(row.tool.severity) for row in rows)
    signals = Counter(signal for row in rows for signal in row.tool.signals)
    return [
        ("class", "Class", [(name, name, classes[name], name in chosen["class"]) for name in CLASSES]),
        (
            "severity",
            "Severity",
            [(v, label, severities[v], v in chosen["severity"]) for v, label in SEVERITIES],
        ),
        (
            "signal",
            "Signals",
            [
                (key, words, signals[key], key in chosen["signal"])
                for key, words in prose.SIGNAL_TITLES.items()
                if signals[key]
            ],
        ),
    ]


def _bar(server: CatalogServer) -> dict[str, Any]:
    counts = list(zip((4, 3, 2, 1), reversed(server.by_severity or [0] * 4), strict=True))
    labels = dict(SEVERITIES)
    starts = accumulate((count for _, count in counts), initial=0)
    return {
        "parts": [
            (level, start, count) for (level, count), start in zip(counts, starts, strict=False) if count
        ],
        "counts": [(level, count) for level, count in counts],
        "total": server.tool_count or 1,
        "words": ", ".join(f"{count} {labels[str(level)]}" for level, count in counts if count) or "no tools",
    }


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
    from urllib.parse import urlencode

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
    found = find(server_slug)
    tools = tools_of(found)
    return JsonResponse(
        {**server_facts(found), "policy": _advice(tools).text, "tools": [tool_facts(tool) for tool in tools]}
    )


@public_page
def compare(request: HttpRequest) -> HttpResponse:
    slugs = [slug_asked(request.GET.get(side, "")) for side in ("a", "b")]
    found = [
        CatalogServer.objects.defer("search").filter(slug=slug).first() if slug else None for slug in slugs
    ]
    if any(slug and one is None for slug, one in zip(slugs, found, strict=True)):
        raise Http404
    both = [one for one in found if one is not None]
    named = {one.slug: tools_of(one) for one in both}
    context = {
        "sides": [(one, _bar(one), _advice(named[one.slug])) for one in both],
        "common": _common(named.values()) if len(both) == 2 else [],
        "chosen": slugs,
        "suggested": list(
            CatalogServer.objects.exclude(tool_count=0).defer("search").order_by("-tool_count", "slug")[:40]
        ),
        "title": f"{both[0].title} and {both[1].title}" if len(both) == 2 else "Compare two servers",
        "crumbs": crumbs(("Compare", "")),
    }
    return page(request, "catalog/compare.html", context)


def _common(lists: Iterable[list[CatalogTool]]) -> list[tuple[CatalogTool, CatalogTool]]:
    first, second = lists
    by_key = {tool.name_key: tool for tool in second}
    return [(tool, by_key[tool.name_key]) for tool in first if tool.name_key in by_key][:100]
