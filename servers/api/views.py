from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from common.api_fields import uuid_or_404
from common.drf import NewestFirst, etag, valid, version_of
from servers.api.serializers import ScanSerializer, ServerInput, ServerSerializer, ToolSerializer
from servers.models import Server, Tool, ToolScan
from servers.services import change_server, register_server, retire_server, start_scan
from servers.tasks import enqueue_scan
from servers.waiting import when_over


def find_server(request: Request, server_id: str) -> Server:
    return get_object_or_404(Server.objects.visible_to(member_of(request)), pk=uuid_or_404("srv", server_id))


def _shown(request: Request, server: Server) -> dict[str, Any]:
    return ServerSerializer(server, context={"request": request}).data


class ServerPage(NewestFirst):
    ordering = "-created_at"


class ToolPage(NewestFirst):
    ordering = ("-severity", "class_rank", "name", "id")
    page_size = 200
    max_page_size = 1000


class Servers(generics.ListAPIView[Server]):
    serializer_class = ServerSerializer
    pagination_class = ServerPage
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


class ServerDetail(APIView):
    read_scope = "servers:read"

    @extend_schema(responses=ServerSerializer)
    def get(self, request: Request, server_id: str) -> Response:
        server = find_server(request, server_id)
        return Response(_shown(request, server), headers=etag(server.version))

    @extend_schema(request=ServerInput(partial=True), responses=ServerSerializer)
    def patch(self, request: Request, server_id: str) -> Response:
        server = find_server(request, server_id)
        version = version_of(request)
        given = valid(ServerInput(data=request.data, partial=True))
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
        retire_server(member_of(request), server, if_version=version_of(request))
        return Response(status=204)


class ServerScan(APIView):
    @extend_schema(request=None, responses=ScanSerializer)
    def post(self, request: Request, server_id: str) -> HttpResponseBase:
        """Connects, lists the tools, waits for the end and says what was found."""
        scan = start_scan(member_of(request), find_server(request, server_id))
        enqueue_scan(scan)
        return StreamingHttpResponse(when_over(scan, _written), content_type="application/json")


def _written(scan: ToolScan) -> bytes:
    return JSONRenderer().render(ScanSerializer(scan).data)


class ServerTools(generics.ListAPIView[Tool]):
    """The server's tools, worst first."""

    serializer_class = ToolSerializer
    pagination_class = ToolPage
    read_scope = "servers:read"
    queryset = Tool.objects.none()

    def get_queryset(self) -> QuerySet[Tool]:
        server = find_server(self.request, self.kwargs["server_id"])
        return Tool.objects.visible_to(member_of(self.request)).filter(server=server).present()


class Tools(generics.ListAPIView[Tool]):
    """Everything the organization's agents can be given, worst first."""

    serializer_class = ToolSerializer
    pagination_class = ToolPage
    read_scope = "servers:read"
    queryset = Tool.objects.none()

    def get_queryset(self) -> QuerySet[Tool]:
        tools = Tool.objects.visible_to(member_of(self.request)).present()
        wanted = self.request.query_params
        if tool_class := wanted.get("class"):
            tools = tools.filter(tool_class=tool_class.replace("\x00", ""))
        if server := wanted.get("server"):
            tools = tools.filter(server_id=uuid_or_404("srv", server))
        return tools
