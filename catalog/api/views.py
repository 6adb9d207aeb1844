"""The catalogue over REST: public, the same for everyone, throttled by address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.advice import Listed, advise
from catalog.api.serializers import (
    CatalogServerSerializer,
    ClassifyInput,
    JudgedSerializer,
    SearchSerializer,
    ServersSerializer,
    ToolsSerializer,
)
from catalog.classifier.choices import choices_of_schema
from catalog.classify import ToolInput, classify
from catalog.facts import hints_of, params_of_schema
from catalog.models import CatalogServer
from catalog.rules import as_rows
from catalog.search import CLASSES, LONGEST_QUESTION, TRANSPORTS, Found, find, read_question
from catalog.serial import server_facts, tool_facts
from catalog.summary import at_one_moment, in_full
from catalog.words import slug_asked
from common.api_filters import Choice, Filter, Number, Text, asked
from common.api_lists import described
from common.api_views import ApiView
from common.drf import valid

_PAGE = 100
_AFTER = Filter("after", Text(200), "The last server of the previous page.")
_FILTERS = (
    Filter("q", Text(LONGEST_QUESTION), "Words of a tool’s name, its server or its vendor."),
    Filter("class", Choice(CLASSES), many=True),
    Filter("severity", Number(1, 4), "1 low to 4 critical.", many=True),
    Filter("transport", Choice(TRANSPORTS), many=True),
    Filter("vendor", Text(200), "At most three.", many=True),
    Filter("page", Number(1, 999)),
)


class PublicView(ApiView):
    """It makes no difference who asks, so no key is read; the throttle counts by address."""

    authentication_classes = []
    permission_classes = []


class Servers(PublicView):
    @extend_schema(
        operation_id="catalog_servers_list",
        parameters=described(_AFTER),
        responses=ServersSerializer,
        description="All servers of the catalogue, by name.",
    )
    def get(self, request: Request) -> Response:
        after = slug_asked(asked(request.query_params, (_AFTER,)).get("after", ""))
        found = CatalogServer.objects.filter(slug__gt=after).defer("search").order_by("slug")
        rows = list(found[: _PAGE + 1])
        more = rows[_PAGE - 1].slug if len(rows) > _PAGE else None
        return Response(
            {
                "results": [server_facts(row) for row in rows[:_PAGE]],
                "next": _link(request, after=more) if more else None,
                "previous": _link(request, after=_before(after)) if after else None,
                "after": more,
            }
        )


class ServerDetail(PublicView):
    @extend_schema(responses=CatalogServerSerializer, description="One server of the catalogue.")
    def get(self, request: Request, server_slug: str) -> Response:
        server = CatalogServer.objects.filter(slug=slug_asked(server_slug)).defer("search").first()
        if server is None:
            raise NotFound
        return Response(server_facts(server))


class Tools(PublicView):
    @extend_schema(
        parameters=described(*_FILTERS), responses=ToolsSerializer, description="Tools, worst first."
    )
    def get(self, request: Request) -> Response:
        return Response(_tools(request, _found(request)))


class Search(PublicView):
    @extend_schema(
        parameters=described(*_FILTERS),
        responses=SearchSerializer,
        description="Servers and tools in one answer.",
    )
    def get(self, request: Request) -> Response:
        found = _found(request)
        facets = {
            facet: {option.value: option.count for option in options}
            for facet, options in found.facets.items()
        }
        servers = [server_facts(server) for server in found.servers]
        return Response({**_tools(request, found), "servers": servers, "facets": facets})


class Classify(PublicView):
    @extend_schema(
        request=ClassifyInput,
        responses=JudgedSerializer,
        description="What the classifier says of a tool of yours, and the policy it recommends. "
        "Nothing is kept.",
    )
    def post(self, request: Request) -> Response:
        given = valid(ClassifyInput(data=request.data))
        tool = _tool(given)
        found = classify(tool)
        advice = advise(Listed(tool.name, tool.params, found), ())
        evidence = [
            dict(zip(("rule", "field", "words", "sentence"), row, strict=True))
            for row in as_rows(found.evidence)
        ]
        body: dict[str, Any] = {
            "tool": given["name"],
            "class": str(found.tool_class),
            "severity": found.severity.label,
            "confidence": found.confidence,
            "needs_review": found.needs_review,
            "signals": list(found.signals),
            "evidence": evidence,
            "policy": advice.text,
            "policy_does": list(advice.sentences),
        }
        return Response(body)


def _tool(given: dict[str, Any]) -> ToolInput:
    schema = given.get("input_schema", {})
    said = tuple((one["name"], one["type"], one["required"]) for one in given.get("params", ()))
    return ToolInput(
        name=given["name"],
        description=given["description"],
        params=said or tuple(params_of_schema(schema)),
        annotations=hints_of(given.get("annotations")),
        siblings=tuple(given.get("siblings", ())),
        title=given["title"],
        choices=choices_of_schema(schema),
        server=given["server"],
    )


def _found(request: Request) -> Found:
    asked(request.query_params, _FILTERS)
    with at_one_moment() as summary:
        return find(read_question(request._request.GET), summary.figures, in_full)


def _before(after: str) -> str | None:
    """The server after which the page that ends with `after` begins; None for the first page."""
    earlier = CatalogServer.objects.filter(slug__lte=after).order_by("-slug").values_list("slug", flat=True)
    return next(iter(earlier[_PAGE : _PAGE + 1]), None)


def _link(request: Request, **changed: str | int | None) -> str:
    """This address with other parameters; None takes one out."""
    query = request.query_params.copy()
    for name, value in changed.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return urlsplit(request.build_absolute_uri())._replace(query=query.urlencode()).geturl()


def _tools(request: Request, found: Found) -> dict[str, Any]:
    page = int(request.query_params.get("page", 1))
    before = min(page - 1, found.pages)
    return {
        "results": [tool_facts(tool) for tool in found.tools],
        "next": _link(request, page=page + 1) if page < found.pages else None,
        "previous": _link(request, page=before) if before > 0 else None,
        "found": found.total,
        "capped": found.is_capped,
        "pages": found.pages,
    }
