from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.api.idempotency import ANSWERS_AGAIN, Again
from common.api_filters import Choice, Filter, Flag, Id, Text
from common.api_lists import ApiList, both_ways
from common.api_shown import written
from common.api_views import ApiView
from common.drf import etag, valid, version_of
from common.path_ids import uuid_or_404
from servers.api.serializers import (
    ScanSerializer,
    ServerChange,
    ServerInput,
    ServerSerializer,
    ToolSerializer,
)
from servers.models import Server, Severity, Tool, ToolClass, ToolScan
from servers.services import change_server, register_server, retire_server, start_scan
from servers.tasks import enqueue_scan
from servers.waiting import when_over


def find_server(request: Request, server_id: str) -> Server:
    return get_object_or_404(Server.objects.visible_to(member_of(request)), pk=uuid_or_404("srv", server_id))


def _shown(request: Request, server: Server) -> dict[str, Any]:
    return ServerSerializer(server, context={"request": request}).data


NAME = Filter("name", Text(256), "A part of the name.", lookup="name__icontains")
OF_TOOLS = (
    NAME,
    Filter("class", Choice(tuple(ToolClass.values)), lookup="tool_class", many=True),
    Filter(
        "severity",
        Choice(tuple(Severity.labels)),
        by=lambda labels: Q(severity__in=[one.value for one in Severity if one.label in labels]),
        many=True,
    ),
    Filter("needs_review", Flag(), "Whether the class is doubtful."),
)
ORDERS_OF_TOOLS = {
    "-severity": ("-severity", "class_rank", "name", "id"),
    "severity": ("severity", "-class_rank", "name", "id"),
    "name": ("name", "id"),
    "-name": ("-name", "-id"),
}


LIVE = tuple(one.value for one in Server.Status if one is not Server.Status.RETIRED)


class Servers(ApiList[Server]):
    serializer_class = ServerSerializer
    filters = (
        NAME,
        Filter("status", Choice(LIVE)),
        Filter("auth", Choice(tuple(Server.Auth.values)), lookup="auth_kind"),
    )
    orders = both_ways("created_at", "name")
    read_scope = "servers:read"
    queryset = Server.objects.none()

    def get_queryset(self) -> QuerySet[Server]:
        return Server.objects.visible_to(member_of(self.request)).filter(retired_at=None)

    @extend_schema(request=ServerInput, responses={201: ServerSerializer})
    def post(self, request: Request) -> Response:
        given = valid(ServerInput(data=request.data))
        headers = given.get("auth", {}).get("headers", {})
        server = register_server(member_of(request), given["name"], given["upstream_url"], headers)
        return Response(_shown(request, server), status=201, headers=etag(server.version))


class ServerDetail(ApiView):
    read_scope = "servers:read"

    @extend_schema(responses=ServerSerializer)
    def get(self, request: Request, server_id: str) -> Response:
        server = find_server(request, server_id)
        return Response(_shown(request, server), headers=etag(server.version))

    @extend_schema(request=ServerChange, responses=ServerSerializer)
    def patch(self, request: Request, server_id: str) -> Response:
        server = find_server(request, server_id)
        version = version_of(request, server.version)
        given = valid(ServerChange(data=request.data))
        auth = given.get("auth")
        changed = change_server(
            member_of(request),
            server,
            name=given.get("name"),
            upstream_url=given.get("upstream_url"),
            headers=None if auth is None else auth.get("headers", {}),
            if_version=version,
        )
        return Response(_shown(request, changed), headers=etag(changed.version))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, server_id: str) -> Response:
        """Retires the server: its grants stop working at once."""
        server = find_server(request, server_id)
        retire_server(member_of(request), server, if_version=version_of(request, server.version))
        return Response(status=204)


class ServerScan(ApiView):
    @extend_schema(request=None, responses=ScanSerializer)
    def post(self, request: Request, server_id: str) -> HttpResponseBase:
        """Connects, lists the tools, waits until the scan is over and says what was found."""
        scan = start_scan(member_of(request), find_server(request, server_id))
        enqueue_scan(scan)
        answer = _told(scan)
        answer.again = Again("scan", scan.pk)  # type: ignore[attr-defined]
        return answer


def _told(scan: ToolScan) -> HttpResponseBase:
    return StreamingHttpResponse(when_over(scan, _written), content_type="application/json")


def _told_again(organization_id: UUID, scan_id: UUID) -> HttpResponseBase:
    return _told(ToolScan.objects.get(organization_id=organization_id, pk=scan_id))


ANSWERS_AGAIN["scan"] = _told_again


def _written(scan: ToolScan) -> bytes:
    return written(ScanSerializer(scan).data)


READ_OF_TOOLS = (
    *("name", "title", "server_id", "description", "severity", "tool_class", "confidence", "needs_review"),
    *("evidence_text", "signals_text", "input_schema_text"),
)


class ServerTools(ApiList[Tool]):
    """The server's tools, worst first."""

    serializer_class = ToolSerializer
    filters = OF_TOOLS
    orders = ORDERS_OF_TOOLS
    page_size = 200
    largest_page = 1000
    columns = READ_OF_TOOLS
    read_scope = "servers:read"
    queryset = Tool.objects.none()

    def get_queryset(self) -> QuerySet[Tool]:
        server = find_server(self.request, self.kwargs["server_id"])
        return _tools(self.request).filter(server=server)


class Tools(ApiList[Tool]):
    """Everything the organization's agents can be given, worst first."""

    serializer_class = ToolSerializer
    filters = (*OF_TOOLS, Filter("server", Id("srv"), lookup="server_id"))
    orders = ORDERS_OF_TOOLS
    page_size = 100
    largest_page = 1000
    columns = READ_OF_TOOLS
    read_scope = "servers:read"
    queryset = Tool.objects.none()

    def get_queryset(self) -> QuerySet[Tool]:
        return _tools(self.request)


def _tools(request: Request) -> QuerySet[Tool]:
    """Reads JSON columns as text: a thousand schemas are not parsed only to be written again."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in ("evidence", "signals", "input_schema")}
    return Tool.objects.visible_to(member_of(request)).present().annotate(**texts)
