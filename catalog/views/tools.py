"""One tool: what it can do, why we say so, and a policy for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from catalog import prose
from catalog.advice import Advice, Listed, advise
from catalog.attacks import invited_by
from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification
from catalog.facts import Provenance
from catalog.faq import Asked, questions
from catalog.kin import looks_first, nearest
from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.rules import choices_of_row, classification_of
from catalog.serial import tool_facts
from catalog.summary import as_listed
from catalog.views._shared import absolute, crumbs, page
from catalog.words import name_key, slug_asked
from catalog.worth import runs, worth_a_rule
from common.near import MOST_LOOKED_AT, near_miss

MOST_RELATED = 6
MOST_CHOICES = 12
_PROVENANCE = {
    "served": "Listed by the server itself",
    "published": "From a published list",
    "parsed": "Parsed from the server’s source",
}


@dataclass(frozen=True, slots=True)
class _Argument:
    """`choices`: the first of the values that can be chosen; `more`: how many others there are."""

    name: str
    kind: str
    required: bool
    choices: tuple[str, ...]
    more: int
    hint: str


def find(server_slug: str, tool_slug: str) -> CatalogTool:
    found = (
        CatalogTool.objects.select_related("server")
        .defer("search", "server__search")
        .filter(server__slug=server_slug, slug=slug_asked(tool_slug), removed_at=None)
        .first()
    )
    if found is None:
        raise Http404
    return found


@public_page
def tool(request: HttpRequest, server_slug: str, tool_slug: str) -> HttpResponse:
    try:
        row = find(server_slug, tool_slug)
    except Http404:
        return _no_tool(request, server_slug, tool_slug)
    found = classification_of(row)
    listed = Listed(row.name, tuple((n, k, r) for n, k, r in row.params), found)
    others = _others(row)
    siblings = list(others)
    near = nearest(row.name, siblings)
    readers = {name for name, other in others.items() if other.tool_class == "Read" != row.tool_class}
    advice = advise(listed, siblings)
    is_told = bool(row.params) or row.provenance == Provenance.SERVED
    home = row.server
    reached = prose.reached(home.transports, hosted=bool(home.hosted_at), withdrawn=home.is_withdrawn)
    asked = questions(row.name, row.server.title, home_of(row), found, advice, reached)
    context = {
        "tool": row,
        "found": found,
        "advice": advice,
        "questions": asked,
        "raised": prose.raised(found),
        "does": prose.does(row.name, found),
        "beside": looks_first(row.name, near, readers),
        "takes": prose.takes(listed.params, surely=is_told),
        "is_told": is_told,
        "why": prose.why(found),
        "pieces": prose.pieces(row.name, found),
        "reasons": _reasons(found),
        "signals": [(s, prose.SIGNAL_TITLES[s]) for s in found.signals if s in prose.SIGNAL_TITLES],
        "attacks": invited_by(found, listed.params),
        "params": list(_arguments(row, found)),
        "required": sum(must for _, _, must in listed.params),
        "related": _related(row, near, others),
        "elsewhere": _elsewhere(row),
        "reached": reached,
        "provenance": _PROVENANCE.get(row.provenance, ""),
        "others": row.server.tool_count - 1,
        "crumbs": crumbs((row.server.title, row.server.get_absolute_url()), (row.name, "")),
        "classes": [str(each) for each in reversed(ToolClass)],
    }
    return page(
        request, "catalog/tool.html", context, about=f"{row.name}, {row.server.title}", ld=_ld(row, asked)
    )


def _no_tool(request: HttpRequest, server_slug: str, tool_slug: str) -> HttpResponse:
    """Addresses outlive tools: an old one leads to the tools that the server has now."""
    server = get_object_or_404(CatalogServer.objects.defer("search"), slug=server_slug)
    slugs = dict(server.tools.filter(removed_at=None).values_list("name", "slug")[:MOST_LOOKED_AT])
    wanted = slug_asked(tool_slug)[:60]
    alike = [name for name in slugs if name_key(name) == name_key(wanted)]
    if len(alike) == 1:
        return redirect("catalog:tool", server_slug, slugs[alike[0]], permanent=True)
    near = {name.casefold(): name for name in slugs}.get(near_miss(wanted, slugs), "")
    context = {
        "server": server,
        "wanted": wanted,
        "near": (near, reverse("catalog:tool", args=[server_slug, slugs[near]])) if near else None,
        "as_json": "",
        "crumbs": crumbs((server.title, server.get_absolute_url())),
    }
    return page(request, "catalog/no_tool.html", context, about=server.title, status=404)


def home_of(row: CatalogTool) -> str:
    server = row.server
    parts = [server.repository, server.subfolder, server.package]
    return ", ".join(part for part in parts if part)


def _reasons(found: Classification) -> list[tuple[str, str, str]]:
    """`(mark, words, sentence)`, in the order in which the page underlines them."""
    letters = iter("abc")
    rows = []
    for evidence in found.evidence:
        mark = next(letters, "") if evidence.field == "name" and evidence.words else ""
        rows.append((mark, " ".join(evidence.words), evidence.sentence))
    return rows


def _arguments(row: CatalogTool, found: Classification) -> Iterator[_Argument]:
    choices, names = dict(choices_of_row(row)), [name for name, _, _ in row.params]
    for name, kind, must in row.params:
        of_it = choices.get(name, ())
        hint = worth_a_rule((name, kind, must), of_it, runs=runs(found), beside=names)
        yield _Argument(name, kind, must, of_it[:MOST_CHOICES], len(of_it[MOST_CHOICES:]), hint)


class _Other(NamedTuple):
    name: str
    tool_class: str
    severity: int


def _others(row: CatalogTool) -> dict[str, _Other]:
    others = row.server.tools.filter(removed_at=None).exclude(pk=row.pk).order_by("name")
    return {one[0]: _Other(*one) for one in others.values_list(*_Other._fields)}


def _related(row: CatalogTool, near: list[str], others: Mapping[str, _Other]) -> list[CatalogTool]:
    """Tools about the same things; if there are few, the worst of the server as well. Worst first."""
    worst = nsmallest(MOST_RELATED, others.values(), key=lambda one: (-one.severity, one.name))
    named = list(dict.fromkeys([*near, *(one.name for one in worst)]))[:MOST_RELATED]
    found = list(
        row.server.tools.filter(name__in=named, removed_at=None).only(
            "name", "slug", "severity", "tool_class"
        )
    )
    for one in found:
        one.server = row.server
    return sorted(found, key=lambda one: (-one.severity, one.name))


def _elsewhere(row: CatalogTool) -> list[CatalogTool]:
    same = CatalogTool.objects.filter(name_key=row.name_key, removed_at=None, search__isnull=False)
    return list(as_listed(same.exclude(server=row.server).order_by("-severity", "id"))[:4])


def _ld(row: CatalogTool, asked: tuple[Asked, ...]) -> list[dict[str, Any]]:
    entries = [
        {"@type": "Question", "name": one.question, "acceptedAnswer": {"@type": "Answer", "text": one.answer}}
        for one in asked
    ]
    article = {
        "@context": "https://schema.org",
        "@type": "TechArticle",
        "headline": f"{row.name}, {row.server.title}",
        "dateModified": row.changed_at.isoformat(),
        "url": absolute(row.get_absolute_url()),
        "about": {
            "@type": "SoftwareApplication",
            "name": row.server.title,
            "applicationCategory": "MCP server",
        },
    }
    return [article, {"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": entries}]


@public_page
def tool_json(request: HttpRequest, server_slug: str, tool_slug: str) -> HttpResponse:
    row = find(server_slug, tool_slug)
    found = classification_of(row)
    listed = Listed(row.name, tuple((n, k, r) for n, k, r in row.params), found)
    advice: Advice = advise(listed, list(_others(row)))
    wanted_by = invited_by(found, listed.params)
    return JsonResponse(
        {
            **tool_facts(row),
            "policy": advice.text,
            "policy_does": [*advice.sentences, advice.elsewhere],
            "attacks": [absolute(reverse("catalog:attack", args=[one.key])) for one in wanted_by],
            "page": absolute(reverse("catalog:tool", args=[server_slug, tool_slug])),
        }
    )
