"""The pages not about one server or tool, as JSON: the page's address with `.json` for its last slash."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from catalog.advice import as_text
from catalog.attack_pages import judged, wanting
from catalog.attack_shape import Attack
from catalog.attacks import ATTACKS, by_key
from catalog.glossary import TERMS
from catalog.models import CatalogServer
from catalog.public import public_page
from catalog.search import find, read_question
from catalog.serial import server_facts, tool_facts
from catalog.summary import current, in_full
from catalog.views._shared import absolute
from catalog.views.compare import common_tools, named
from catalog.views.index import of_level, on_a_page
from catalog.whole import whole


@public_page
def index(request: HttpRequest) -> HttpResponse:
    asked = read_question(request.GET)
    found = on_a_page(find(asked, current().figures, in_full), asked)
    return JsonResponse(
        {
            "found": found.total,
            "capped": found.is_capped,
            "page": asked.page,
            "pages": found.pages,
            "facets": {name: {o.value: o.count for o in options} for name, options in found.facets.items()},
            "servers": [server_facts(server) for server in found.servers],
            "tools": [tool_facts(tool) for tool in found.tools],
        }
    )


@public_page
def risk(request: HttpRequest, level: str) -> HttpResponse:
    severity, count, tools = of_level(level, in_full)
    return JsonResponse(
        {
            "severity": level.capitalize(),
            "count": count,
            "tools": [tool_facts(tool) for tool in tools],
            "all": absolute(f"/catalogue.json?severity={severity}"),
        }
    )


@public_page
def compare(request: HttpRequest) -> HttpResponse:
    found = [named(request.GET.get(side, "")) for side in ("a", "b")]
    both = [one for one in found if one is not None]
    if len(both) != 2:
        raise Http404
    return JsonResponse(
        {
            "servers": [_under_policy(one) for one in both],
            "common": [
                {"tool": one.name, "severity": [one.level.label, other.level.label]}
                for one, other in common_tools(*both)
            ],
        }
    )


def _under_policy(server: CatalogServer) -> dict[str, Any]:
    advice = whole(server).advice
    return {**server_facts(server), "policy": advice.text, "policy_does": dict(advice.counts)}


@public_page
def attacks(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"attacks": [_told(one) for one in ATTACKS]})


@public_page
def attack(request: HttpRequest, key: str) -> HttpResponse:
    found = by_key().get(key)
    if found is None:
        raise Http404
    calls = [
        {
            "tool": attempt.tool,
            "arguments": attempt.arguments,
            "outcome": result.decision.outcome,
            "reason": result.decision.reason,
            "meaning": attempt.meaning,
        }
        for attempt, result in judged(found)
    ]
    body = {"how": found.how, "example": found.example, "stops": found.stops, "calls": calls}
    wanted = [absolute(tool.get_absolute_url()) for tool in wanting(found)]
    return JsonResponse({**_told(found), **body, "policy": as_text(found.policy), "tools": wanted})


def _told(one: Attack) -> dict[str, str]:
    return {"key": one.key, "title": one.title, "short": one.short, "page": absolute(f"/attacks/{one.key}/")}


@public_page
def glossary(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"terms": [{"word": term.word, "meaning": term.meaning} for term in TERMS]})
