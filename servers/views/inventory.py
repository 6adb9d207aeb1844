"""Everything your agents can call: all tools of all servers, worst first, and which grants reach each."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from common.csv_cells import csv_cell
from common.templatetags._words import EFFECT_WORDS, effect_key
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.effects import Effect, effects
from policies.language.glance import decided_by, rule_words, value_of
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
MOST_LABELS = 200
# What a policy is judged by is kept up to here, some ten bytes for a character: larger ones are read anew.
_LONGEST_KEPT = 10_000
_CHARACTERS_OF_A_TOOL = 40
# Name and digest: a class counts only for the very definition it was given for.
Definition: TypeAlias = tuple[str, str]
OUT_OF_REACH = frozenset({Effect.DENIED, Effect.HIDDEN})


@dataclass(frozen=True, slots=True)
class Reach:
    """What the policy in force for one grant does to the tools of its server."""

    label: str
    compiled: CompiledPolicy
    effects: dict[str, Effect]


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as far as the list shows it: of five thousand nothing else is read."""

    pk: UUID
    server: Server
    name: str
    tool_class: str
    severity: int


@dataclass(frozen=True, slots=True)
class Row:
    tool: Listed
    best: Reach | None  # the grant that gets furthest; None where none reaches the server
    grants: tuple[str, ...]  # labels of the grants that can get through

    @property
    def effect(self) -> Effect | None:
        return self.best.effects[self.tool.name] if self.best else None

    @property
    def value(self) -> str:
        effect = self.effect
        return value_of(self.best.compiled, self.tool.name, effect) if self.best and effect else ""

    @property
    def rule(self) -> str:
        return decided_by(self.best.compiled, self.tool.name) if self.best else ""

    @property
    def rule_words(self) -> str:
        return rule_words(self.rule, self.tool.name)

    @property
    def unruled(self) -> bool:
        return bool(self.grants) and self.rule == "(default allow)"


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    rows = _rows(request)
    shown = _filtered(rows, request.GET)
    reach = [row for row in rows if row.grants]
    critical = [row for row in rows if row.tool.severity == Severity.CRITICAL]
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "rows": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
        "total": len(rows),
        "within_reach": len(reach),
        "critical": len(critical),
        "critical_within_reach": sum(bool(row.grants) for row in critical),
        "critical_asking": sum(row.effect is Effect.NEEDS_APPROVAL for row in critical if row.grants),
        "unruled": sum(row.unruled for row in reach),
        "open_and_unlimited": sum(
            row.effect is Effect.ALLOWED and row.tool.tool_class != "Read" for row in rows
        ),
        "servers": sorted({row.tool.server.name for row in rows}),
        "labels": sorted({label for row in rows for label in row.grants})[:MOST_LABELS],
        "effects": [(effect.value, EFFECT_WORDS[effect_key(effect)]) for effect in BEST_FIRST],
        "classes": ToolClass.choices,
        "severities": Severity.choices[::-1],
        "wanted": request.GET,
        "filtered": any(query.values()),
        "query": query.urlencode(),
        "may_manage": may(request.member, May.MANAGE_SERVERS),
        "section": "inventory",
    }
    return render(request, "servers/inventory.html", context)


@require_safe
@member_required
def as_csv(request: MemberRequest) -> HttpResponse:
    """What the list shows, all of its pages."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="everything-callable.csv"'
    writer = csv.writer(answer)
    writer.writerow(
        ("tool", "server", "class", "severity", "what_can_happen", "value", "decided_by", "reached_by")
    )
    for row in _filtered(_rows(request), request.GET):
        tool = row.tool
        cells = (
            *(
                tool.name,
                tool.server.name,
                tool.tool_class or "",
                Severity(tool.severity).label if tool.severity else "",
            ),
            *(str(row.effect or ""), row.value, row.rule, " ".join(row.grants)),
        )
        writer.writerow([csv_cell(cell) for cell in cells])
    return answer


def _rows(request: MemberRequest) -> list[Row]:
    present = Tool.objects.visible_to(request.member).present().worst_first()
    read = list(present.values_list("pk", "server_id", "name", "digest", "tool_class", "severity"))
    by_server: dict[UUID, list[Definition]] = defaultdict(list)
    for _, server_id, name, digest, *_ in read:
        by_server[server_id].append((name, digest))
    found = Server.objects.visible_to(request.member).filter(pk__in=by_server)
    servers = found.prefetch_related("grants__policy__published_revision").in_bulk()
    reached = {pk: reach_of_grants(server, by_server[pk]) for pk, server in servers.items()}
    return [
        _row(Listed(pk, servers[server_id], name, tool_class, severity), reached[server_id])
        for pk, server_id, name, _, tool_class, severity in read
        if server_id in servers  # it may be gone since its tools were read
    ]


def reach_of_grants(server: Server, definitions: Sequence[Definition]) -> list[Reach]:
    """For each good grant of the server."""
    found = []
    cache: dict[UUID, tuple[CompiledPolicy, dict[str, Effect]]] = {}
    for grant in server.grants.all():
        policy = grant.policy
        if grant.state != "active" or policy is None or policy.published_revision is None:
            continue
        revision = policy.published_revision
        if revision.pk not in cache:
            classes = {(name, digest): tool_class for name, tool_class, digest in revision.classes}
            known = tuple((each[0], classes.get(each)) for each in definitions)
            kept = len(revision.document) + len(known) * _CHARACTERS_OF_A_TOOL <= _LONGEST_KEPT
            cache[revision.pk] = (_ruled if kept else _judged)(revision.document, known)
        found.append(Reach(grant.label, *cache[revision.pk]))
    return found


def _judged(
    document: str, tools: tuple[tuple[str, str | None], ...]
) -> tuple[CompiledPolicy, dict[str, Effect]]:
    facts = [ToolFacts(name, tool_class) for name, tool_class in tools]
    compiled = compile_policy(parse_policy(document, stored=True), facts)
    return compiled, effects(compiled, [name for name, _ in tools])


# A page shows hundreds of policies, and hardly one differs from the last look. Nobody may change these.
_ruled = lru_cache(maxsize=1_000)(_judged)


def _row(tool: Listed, reached: list[Reach]) -> Row:
    through = tuple(one.label for one in reached if one.effects[tool.name] not in OUT_OF_REACH)
    best = min(reached, key=lambda one: BEST_FIRST.index(one.effects[tool.name]), default=None)
    return Row(tool, best, through)


def _filtered(rows: list[Row], wanted: QueryDict) -> list[Row]:
    words = wanted.get("q", "").casefold().strip()
    asked = {name: wanted.get(name, "") for name in ("class", "server", "severity", "effect", "grant")}
    return [
        row
        for row in rows
        if (not words or _says(row, words))
        and (not asked["class"] or row.tool.tool_class == asked["class"])
        and (not asked["server"] or row.tool.server.name == asked["server"])
        and (not asked["severity"] or str(row.tool.severity) == asked["severity"])
        and (not asked["effect"] or str(row.effect or "") == asked["effect"])
        and (not asked["grant"] or asked["grant"] in row.grants)
        and (wanted.get("reach") != "yes" or row.grants)
        and (wanted.get("unruled") != "yes" or row.unruled)
    ]


def _says(row: Row, words: str) -> bool:
    return any(words in text.casefold() for text in (row.tool.name, row.tool.server.name, *row.grants))
