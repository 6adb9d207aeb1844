"""Everything your agents can call: all tools of all servers, worst first, and which grants reach each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from policies.language.compile import ToolFacts, compile_policy
from policies.language.effects import Effect, effects
from policies.language.parse import parse_policy
from servers.models import Server, Severity, Tool, ToolClass

BEST_FIRST = (
    Effect.ALLOWED,
    Effect.LIMITED,
    Effect.CONDITIONAL,
    Effect.NEEDS_APPROVAL,
    Effect.DENIED,
    Effect.HIDDEN,
)
PER_PAGE = 50
OUT_OF_REACH = frozenset({Effect.DENIED, Effect.HIDDEN})


@dataclass(frozen=True, slots=True)
class Row:
    tool: Tool
    effect: Effect | None  # the most open one over all grants; None where no grant reaches the server
    grants: tuple[str, ...]  # labels of the grants that can get through


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    rows = _rows(request)
    shown = _filtered(rows, request)
    reach = [row for row in rows if row.grants]
    context = {
        "rows": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
        "total": len(rows),
        "within_reach": len(reach),
        "critical": sum(row.tool.severity == Severity.CRITICAL for row in rows),
        "critical_within_reach": sum(row.tool.severity == Severity.CRITICAL for row in reach),
        "open_and_unlimited": sum(
            row.effect is Effect.ALLOWED and row.tool.tool_class != "Read" for row in rows
        ),
        "servers": sorted({row.tool.server.name for row in rows}),
        "classes": ToolClass.choices,
        "severities": Severity.choices[::-1],
        "wanted": request.GET,
        "section": "inventory",
    }
    return render(request, "servers/inventory.html", context)


def _rows(request: MemberRequest) -> list[Row]:
    tools = list(Tool.objects.visible_to(request.member).present().worst_first().select_related("server"))
    by_server: dict[UUID, list[Tool]] = defaultdict(list)
    for tool in tools:
        by_server[tool.server_id].append(tool)
    reached: dict[UUID, list[tuple[Effect, str]]] = defaultdict(list)
    servers = Server.objects.visible_to(request.member).filter(pk__in=by_server)
    for server in servers.prefetch_related("grants__policy__published_revision"):
        for label, found in effects_of_grants(server, by_server[server.pk]):
            for tool in by_server[server.pk]:
                reached[tool.pk].append((found[tool.name], label))
    return [_row(tool, reached[tool.pk]) for tool in tools]


def effects_of_grants(server: Server, tools: list[Tool]) -> list[tuple[str, dict[str, Effect]]]:
    """For each good grant of the server what its published policy does to each tool."""
    found = []
    cache: dict[UUID, dict[str, Effect]] = {}
    for grant in server.grants.all():
        policy = grant.policy
        if grant.state != "active" or policy is None or policy.published_revision is None:
            continue
        revision = policy.published_revision
        if revision.pk not in cache:
            classes = {(name, digest): tool_class for name, tool_class, digest in revision.classes}
            facts = [ToolFacts(t.name, classes.get((t.name, t.digest)), t.input_schema) for t in tools]
            compiled = compile_policy(parse_policy(revision.document, stored=True), facts)
            cache[revision.pk] = effects(compiled, [tool.name for tool in tools])
        found.append((grant.label, cache[revision.pk]))
    return found


def _row(tool: Tool, reached: list[tuple[Effect, str]]) -> Row:
    through = tuple(label for effect, label in reached if effect not in OUT_OF_REACH)
    best = min((effect for effect, _ in reached), key=BEST_FIRST.index, default=None)
    return Row(tool, best, through)


def _filtered(rows: list[Row], request: MemberRequest) -> list[Row]:
    words = request.GET.get("q", "").casefold().strip()
    tool_class, server, severity = (request.GET.get(name, "") for name in ("class", "server", "severity"))
    return [
        row
        for row in rows
        if (not words or words in row.tool.name.casefold() or words in row.tool.server.name.casefold())
        and (not tool_class or row.tool.tool_class == tool_class)
        and (not server or row.tool.server.name == server)
        and (not severity or str(row.tool.severity) == severity)
        and (request.GET.get("reach") != "yes" or row.grants)
    ]
