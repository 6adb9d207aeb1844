"""The way in from the catalogue: a server registered, or chosen, with the policy of the page as its draft."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from catalog.arrivals import Arrival, arrival
from common.errors import InvalidInput
from policies.outlook import outlook, tools_of
from policies.services import create_policy
from policies.views._shared import find_server, refusal
from policies.views.create import free_name
from servers.forms import ServerForm
from servers.models import Server, ToolScan
from servers.services import register_server, start_scan
from servers.tasks import enqueue_scan


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def arrive(request: MemberRequest) -> HttpResponse:
    require(request.member, May.EDIT_POLICIES)
    given = request.POST if request.method == "POST" else request.GET
    found = arrival(given.get("for", ""))
    if found is None:
        raise Http404
    if request.method != "POST":
        return _page(request, found, ServerForm(initial=_prefilled(found)))
    if chosen := request.POST.get("server"):
        return _to_editor(request, find_server(request, chosen), found)
    return _register(request, found)


def _prefilled(found: Arrival) -> dict[str, str]:
    """What the catalogue knows. A server that runs on one's own machine has no address to know."""
    return {"name": found.server.title[:80], "upstream_url": found.server.endpoint}


def _register(request: MemberRequest, found: Arrival) -> HttpResponse:
    form = ServerForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    said = form.cleaned_data
    try:
        with transaction.atomic():
            server = register_server(request.member, said["name"], said["upstream_url"], form.headers())
            policy = create_policy(request.member, server, free_name(server), found.policy)
            scan: ToolScan = start_scan(request.member, server)
    except InvalidInput as invalid:
        form.add_problems(invalid.field_errors)
        return _page(request, found, form)
    enqueue_scan(scan)
    return redirect("policies:editor", policy.public_id)


def _to_editor(request: MemberRequest, server: Server, found: Arrival) -> HttpResponse:
    policy = create_policy(request.member, server, free_name(server), found.policy)
    return redirect("policies:editor", policy.public_id)


def _page(request: MemberRequest, found: Arrival, form: ServerForm) -> HttpResponse:
    servers = list(Server.objects.visible_to(request.member).filter(retired_at=None).order_by("name"))
    context = {
        "arrival": found,
        "form": form,
        "servers": [
            (server, outlook(server, found.policy, None, tools_of(server)).counts) for server in servers[:20]
        ],
        "may_register": may(request.member, May.MANAGE_SERVERS),
        "why_not": "" if may(request.member, May.MANAGE_SERVERS) else refusal(request, May.MANAGE_SERVERS),
        "title": f"A policy for {found.subject}",
        "section": "policies",
    }
    return render(request, "policies/arrive.html", context, status=422 if form.errors else 200)
