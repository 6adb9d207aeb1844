"""The way in from the catalogue: registers or chooses a server and gives it the page's policy as a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from catalog.arrivals import Arrival, arrival
from catalog.naming import read_naming, root_of
from common.refusals import REFUSED, say_in_form
from policies.outlook import outlook, tools_of
from policies.services import create_policy
from policies.views._shared import find_server, refusal
from policies.views.create import free_name
from servers.forms import FIELDS, ServerForm
from servers.models import Server, ToolScan
from servers.services import register_server, start_scan
from servers.tasks import enqueue_scan

MOST_OWN = 20


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


def _prefilled(found: Arrival) -> dict[str, object]:
    """Fills in what the catalogue knows. A server that runs on one's own machine has no address there."""
    start: dict[str, object] = {"name": found.server.title[:80], "upstream_url": found.server.hosted_at}
    if names := found.server.must_be_sent:
        start |= {"auth_kind": "headers", "header_names": names}
    return start


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
    except REFUSED as refused:
        return _page(request, found, form, status=say_in_form(form, refused, fields=FIELDS))
    enqueue_scan(scan)
    return redirect("policies:editor", policy.public_id)


def _to_editor(request: MemberRequest, server: Server, found: Arrival) -> HttpResponse:
    policy = create_policy(request.member, server, free_name(server), found.policy)
    return redirect("policies:editor", policy.public_id)


@dataclass(frozen=True, slots=True)
class Own:
    """One of the organization's servers. `because` says why it may be the one the page is about."""

    server: Server
    counts: Mapping[str, int]
    because: str


def _own(server: Server, found: Arrival) -> Own:
    tools = tools_of(server)
    because = ""
    here, there = read_naming(server.upstream_url).endpoint, found.server.hosted_at
    if there and here and root_of(here) == root_of(there):
        because = "It has the address the catalogue lists."
    elif found.tool and any(tool.name == found.tool.name for tool in tools):
        because = f"It lists {found.tool.name}."
    return Own(server, outlook(server, found.policy, None, tools).counts, because)


def _page(request: MemberRequest, found: Arrival, form: ServerForm, status: int = 422) -> HttpResponse:
    servers = Server.objects.visible_to(request.member).filter(retired_at=None).order_by("name")
    rows = [_own(server, found) for server in servers[:MOST_OWN]]
    context = {
        "arrival": found,
        "form": form,
        # The one that is meant comes first: registering it again would leave its agents without the policy.
        "servers": sorted(rows, key=lambda row: not row.because),
        "meant": any(row.because for row in rows),
        "may_register": may(request.member, May.MANAGE_SERVERS),
        "why_not": "" if may(request.member, May.MANAGE_SERVERS) else refusal(request, May.MANAGE_SERVERS),
        "title": f"A policy for {found.subject}",
        "stay": f"{reverse('policies:arrive')}?{urlencode({'for': found.key})}",
        "section": "policies",
    }
    return render(request, "policies/arrive.html", context, status=status if form.errors else 200)
