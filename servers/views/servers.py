from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from common.near import near_miss
from common.path_ids import uuid_or_404
from servers.arguments import arguments_of
from servers.classing import suggestion
from servers.models import Server, Severity, Tool, ToolClass, ToolScan
from servers.services import gateway_url, retire_server, start_scan
from servers.tasks import enqueue_scan

PER_PAGE = 50
TOOLS_PER_PAGE = 200
GRANTS_BESIDE = 20
SEARCHED_FROM = 12


def find_server(request: MemberRequest, server_id: str) -> Server:
    return get_object_or_404(Server.objects.visible_to(request.member), pk=uuid_or_404("srv", server_id))


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip().replace("\x00", "")
    servers = Server.objects.visible_to(request.member).filter(retired_at=None)
    total = servers.count()
    failing = servers.filter(status=Server.Status.FAILING).count()
    found = servers.filter(name__icontains=wanted) if wanted else servers
    page = Paginator(_with_counts(found), PER_PAGE).get_page(request.GET.get("page"))
    missed = bool(wanted) and not page.paginator.count
    classes = _classes_of(request, page.object_list)
    context = {
        "page": page,
        "rows": [(server, classes[server.pk]) for server in page.object_list],
        "total": total,
        "wanted": wanted,
        "instead": near_miss(wanted, servers.values_list("name", flat=True)) if missed else "",
        "title": _title(total, failing),
        "section": "servers",
        "may_manage": may(request.member, May.MANAGE_SERVERS),
    }
    return render(request, "servers/list.html", context)


def _with_counts(servers: QuerySet[Server]) -> QuerySet[Server]:
    """Counts each kind in a subquery of its own, for the servers of a page: joined, they would multiply.

    What needs a look comes first.
    """
    by_need = Case(When(status=Server.Status.FAILING, then=Value(0)), default=Value(1))
    present = Q(tools__removed_at=None)
    return servers.annotate(
        tool_count=_number_of("tools", present),
        critical_count=_number_of("tools", present & Q(tools__severity=Severity.CRITICAL)),
        policy_count=_number_of("policies", Q()),
        grant_count=_number_of("grants", Q(grants__revoked_at=None)),
    ).order_by(by_need, "name")


def _number_of(things: str, which: Q) -> Coalesce:
    same = Server.objects.filter(pk=OuterRef("pk")).order_by()
    counted = same.filter(which).values("pk").annotate(number=Count(things)).values("number")
    return Coalesce(Subquery(counted), 0)


def _classes_of(request: MemberRequest, servers: Iterable[Server]) -> dict[UUID, list[tuple[str, int]]]:
    """Returns for each server `(class, how many tools)`, worst class first."""
    present = Tool.objects.visible_to(request.member).present().filter(server__in=[one.pk for one in servers])
    counted = present.order_by().values_list("server_id", "tool_class").annotate(tools=Count("pk"))
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for server_id, tool_class, tools in counted:
        found[server_id][tool_class] = tools
    order = [*ToolClass.choices, ("", "")]
    return defaultdict(
        list,
        {pk: [(label, of[value]) for value, label in order if value in of] for pk, of in found.items()},
    )


def _title(total: int, failing: int) -> str:
    if not total:
        return "Servers"
    count = "1 server" if total == 1 else f"{total} servers"
    return f"{count}, {failing} not reachable" if failing else count


@require_safe
@member_required
def detail(request: MemberRequest, server_id: str) -> HttpResponse:
    server = find_server(request, server_id)
    tools = tools_of(request, server)
    wanted = request.GET.get("q", "").strip().replace("\x00", "")
    found = [tool for tool in tools if wanted.casefold() in tool.name.casefold()]
    page = Paginator(found, TOOLS_PER_PAGE).get_page(request.GET.get("page"))
    grants = server.grants.filter(revoked_at=None)
    context = {
        "server": server,
        "gateway_url": gateway_url(server),
        "tools": [(tool, suggestion(tool)) for tool in page],
        "tool_count": len(tools),
        "page": page,
        "searched": len(tools) > SEARCHED_FROM,
        "wanted": wanted,
        "instead": near_miss(wanted, [tool.name for tool in tools]) if wanted and not found else "",
        "counts": counts(tools),
        "lede": lede(tools),
        "scan": latest_scan(server),
        "bare": not server.policies.exists(),
        "policies": server.policies.select_related("published_revision").order_by("name"),
        "grants": grants.select_related("policy").order_by("-issued_at")[:GRANTS_BESIDE],
        "more_grants": max(grants.count() - GRANTS_BESIDE, 0),
        "may_manage": may(request.member, May.MANAGE_SERVERS),
        "may_edit": may(request.member, May.EDIT_POLICIES),
        "may_issue": may(request.member, May.ISSUE_GRANTS),
        "crumbs": [("Servers", reverse("servers:list")), (server.name, "")],
        "section": "servers",
    }
    return render(request, "servers/detail.html", context)


@require_POST
@member_required
def scan(request: MemberRequest, server_id: str) -> HttpResponse:
    server = find_server(request, server_id)
    _start(request, server)
    return redirect("servers:detail", server.public_id)


@require_GET
@member_required
def progress(request: MemberRequest, server_id: str) -> HttpResponse:
    """Renders the running scan, for which the page polls until it is over; then the page is reloaded.

    `?beside`: people are doing something else on that page, and reload it when they like.
    """
    server = find_server(request, server_id)
    latest = latest_scan(server)
    if latest is None:
        raise Http404
    beside = "beside" in request.GET
    answer = render(request, "servers/_scan.html", {"server": server, "scan": latest, "beside": beside})
    if latest.state in {ToolScan.State.DONE, ToolScan.State.FAILED} and not beside:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@member_required
def retire(request: MemberRequest, server_id: str) -> HttpResponse:
    retire_server(request.member, find_server(request, server_id))
    return redirect("servers:list")


@require_safe
@member_required
def tool(request: MemberRequest, server_id: str, tool_id: UUID) -> HttpResponse:
    server = find_server(request, server_id)
    found = get_object_or_404(Tool.objects.visible_to(request.member).filter(server=server), pk=tool_id)
    crumbs = [
        ("Servers", reverse("servers:list")),
        (server.name, reverse("servers:detail", args=[server.public_id])),
        (found.name, ""),
    ]
    arguments = arguments_of(found.input_schema)
    context = {
        "server": server,
        "tool": found,
        "arguments": arguments,
        "is_described": any(one.says for one in arguments),
        "schema": json.dumps(found.input_schema, indent=2, ensure_ascii=False),
        "crumbs": crumbs,
        "section": "servers",
    }
    return render(request, "servers/tool.html", context)


def _start(request: MemberRequest, server: Server) -> None:
    enqueue_scan(start_scan(request.member, server))


def tools_of(request: MemberRequest, server: Server) -> list[Tool]:
    return list(Tool.objects.visible_to(request.member).filter(server=server).present().worst_first())


def latest_scan(server: Server) -> ToolScan | None:
    return server.scans.order_by("-started_at").first()


def lede(tools: list[Tool]) -> str:
    if not tools:
        return "None of its tools is known yet, so no agent can be given any."
    critical = sum(tool.severity == Severity.CRITICAL for tool in tools)
    count = "1 tool" if len(tools) == 1 else f"{len(tools)} tools"
    return f"{count}, worst first; {critical} critical." if critical else f"{count}, none critical."


def counts(tools: list[Tool]) -> list[tuple[str, int]]:
    """Returns `(class, how many)` for the classes there are, worst first; tools without a class last."""
    found = [(label, sum(tool.tool_class == value for tool in tools)) for value, label in ToolClass.choices]
    unclassed = sum(not tool.tool_class for tool in tools)
    return [(label, count) for label, count in [*found, ("", unclassed)] if count]
