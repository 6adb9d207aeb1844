"""Connecting a server: registering it, watching the scan, and correcting what was wrong on the same page."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from catalog.selectors import KnownServer, known_server
from common.refusals import REFUSED, say_in_form
from servers.classing import suggestion
from servers.forms import FIELDS, ConnectionForm, ServerForm
from servers.models import Server, ToolScan
from servers.services import change_server, register_server, start_scan, stop_scan
from servers.tasks import enqueue_scan
from servers.views.servers import counts, find_server, latest_scan, lede, tools_of

SHOWN_TOOLS = 12
_TITLES: dict[str, str] = {
    ToolScan.State.WAITING: "Connecting {}",
    ToolScan.State.RUNNING: "Connecting {}",
    ToolScan.State.DONE: "{} is connected",
    ToolScan.State.FAILED: "{} is not connected",
}
_STAYS = "Agents reach it only with a grant."


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def register(request: MemberRequest) -> HttpResponse:
    require(request.member, May.MANAGE_SERVERS)
    looked_up = "known" in request.POST
    asked = (request.POST if looked_up else request.GET).get("known", "").replace("\x00", "").strip()
    known = known_server(asked) if asked else None
    form = ServerForm(None if looked_up else request.POST or None, initial=_prefilled(asked, known))
    status = 200
    if request.method == "POST" and not looked_up:
        status = 422
        if form.is_valid():
            try:
                server, scan = _register(request.member, form)
            except REFUSED as refused:
                status = say_in_form(form, refused, fields=FIELDS)
            else:
                enqueue_scan(scan)
                return redirect("servers:connection", server.public_id)
    context = {
        "form": form,
        "asked": asked,
        "refused": "The server is not registered yet.",
        "known": known,
        "crumbs": [("Servers", reverse("servers:list")), ("Register", "")],
        "section": "servers",
    }
    return render(request, "servers/register.html", context, status=status)


@require_POST
@member_required
def known(request: MemberRequest) -> HttpResponse:
    """Renders the line below the URL, which says whether the catalogue knows a server with this address.

    A POST, though it changes nothing: what is typed may hold a key, and the URLs of requests are logged.
    """
    require(request.member, May.MANAGE_SERVERS)
    found = known_server(request.POST.get("upstream_url", "").replace("\x00", ""))
    return render(request, "servers/_known.html", {"known": found})


@transaction.atomic
def _register(member: Membership, form: ServerForm) -> tuple[Server, ToolScan]:
    """Registers and scans, or neither: if no scan is allowed now, nothing is registered; the form stays."""
    cleaned = form.cleaned_data
    server = register_server(member, cleaned["name"], cleaned["upstream_url"], form.headers())
    return server, start_scan(member, server)


def _prefilled(asked: str, known: KnownServer | None) -> dict[str, object]:
    """Keeps the typed address if the catalogue knew the server by it; otherwise fills in the catalogue's."""
    address = asked if "://" in asked else ""
    if known is None:
        return {"upstream_url": address}
    own = address if address and known.by in ("address", "host") else known.endpoint
    start: dict[str, object] = {"name": known.name, "upstream_url": own}
    if known.server.headers:
        start |= {"auth_kind": "headers", "header_names": known.server.headers}
    return start


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def connection(request: MemberRequest, server_id: str) -> HttpResponse:
    """Shows the form and, beside it, the last scan. The page polls until the scan is over."""
    require(request.member, May.MANAGE_SERVERS)
    server = find_server(request, server_id)
    form = ConnectionForm(request.POST or None, server)
    status = 422 if request.method == "POST" else 200
    if request.method == "POST" and form.is_valid():
        try:
            scan = _changed(request.member, server, form)
        except REFUSED as refused:
            status = say_in_form(form, refused, fields=FIELDS)
        else:
            if scan is None:
                return redirect("servers:detail", server.public_id)
            enqueue_scan(scan)
            return redirect("servers:connection", server.public_id)
    context = _looked_on(request, server) | {"form": form}
    return render(request, "servers/connection.html", context, status=status)


@transaction.atomic
def _changed(member: Membership, server: Server, form: ConnectionForm) -> ToolScan | None:
    """Changes the server and scans it again, unless it had answered and only its name is new."""
    cleaned = form.cleaned_data
    stop_scan(member, server)  # it would tell of the previous connection
    before, kept = server.upstream_url, cleaned["auth_kind"] == "keep"
    changed = change_server(
        member,
        server,
        name=cleaned["name"],
        upstream_url=cleaned["upstream_url"],
        headers=None if kept else form.headers(),
    )
    answered = server.status == Server.Status.READY
    same = changed.upstream_url == before and (kept or not (form.headers() or server.auth_kind == "headers"))
    return None if answered and same else start_scan(member, changed)


def _looked_on(request: MemberRequest, server: Server) -> dict[str, Any]:
    scan, tools = latest_scan(server), tools_of(request, server)
    state = scan.state if scan else ""
    return {
        "server": server,
        "scan": scan,
        "going": state in {ToolScan.State.WAITING, ToolScan.State.RUNNING},
        "title": _TITLES.get(state, "{}").format(server.name),
        "lede": f"{lede(tools)} {_STAYS}" if state == ToolScan.State.DONE and tools else _STAYS,
        "tools": [(tool, suggestion(tool)) for tool in tools[:SHOWN_TOOLS]],
        "tool_count": len(tools),
        "more": max(0, len(tools) - SHOWN_TOOLS),
        "counts": counts(tools),
        "may_edit": may(request.member, May.EDIT_POLICIES),
        "crumbs": [
            ("Servers", reverse("servers:list")),
            (server.name, reverse("servers:detail", args=[server.public_id])),
            ("Connection", ""),
        ],
        "section": "servers",
    }


@require_POST
@member_required
def stop(request: MemberRequest, server_id: str) -> HttpResponse:
    server = find_server(request, server_id)
    stop_scan(request.member, server)
    return redirect("servers:connection", server.public_id)
