"""Everything your agents can call: all tools of all servers, worst first, and which grants reach each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from common.csv_cells import csv_cell
from common.near import near_miss
from common.templatetags._words import EFFECT_WORDS, effect_key
from policies.language.effects import Effect
from servers.models import Severity, ToolClass
from servers.reach import BEST_FIRST, Row, everything

PER_PAGE = 50
MOST_LABELS = 200


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    rows = everything(request.member)
    servers = {id(row.server): row.server for row in rows}.values()
    labels = {label for server in servers for label, judged in server.grants if judged.lets_any_through}
    query = request.GET.copy()
    query.pop("page", None)
    found = _filtered(rows, request.GET)
    context = {
        **_totals(rows),
        "instead": "" if found else near_miss(request.GET.get("q", "").strip(), (r.tool.name for r in rows)),
        "rows": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "servers": [(name, name) for name in sorted(server.name for server in servers)],
        "labels": [(label, label) for label in sorted(labels)[:MOST_LABELS]],
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


def _totals(rows: Sequence[Row]) -> dict[str, int]:
    reach = [row for row in rows if row.within_reach]
    critical = [row for row in reach if row.tool.severity == Severity.CRITICAL]
    return {
        "total": len(rows),
        "within_reach": len(reach),
        "critical": sum(row.tool.severity == Severity.CRITICAL for row in rows),
        "critical_within_reach": len(critical),
        "critical_asking": sum(row.effect is Effect.NEEDS_APPROVAL for row in critical),
        "unruled": sum(row.unruled for row in reach),
        "open_and_unlimited": sum(
            row.effect is Effect.ALLOWED and row.tool.tool_class != "Read" for row in reach
        ),
    }


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
    for row in _filtered(everything(request.member), request.GET):
        tool = row.tool
        cells = (
            *(
                tool.name,
                row.server.name,
                tool.tool_class or "",
                Severity(tool.severity).label if tool.severity else "",
            ),
            *(str(row.effect or ""), row.value, row.rule, " ".join(row.grants)),
        )
        writer.writerow([csv_cell(cell) for cell in cells])
    return answer


def _filtered(rows: Sequence[Row], wanted: QueryDict) -> Sequence[Row]:
    """The cheapest questions first: each is asked of what the ones before left."""
    for name, of_row in _ASKED.items():
        if value := wanted.get(name, ""):
            rows = [row for row in rows if of_row(row) == value]
    if wanted.get("reach") == "yes":
        rows = [row for row in rows if row.within_reach]
    if wanted.get("unruled") == "yes":
        rows = [row for row in rows if row.unruled]
    if label := wanted.get("grant", ""):
        rows = [row for row in rows if label in row.grants]
    if words := wanted.get("q", "").casefold().strip():
        rows = [row for row in rows if any(words in text.casefold() for text in _said(row))]
    return rows


_ASKED: Final[Mapping[str, Callable[[Row], str]]] = {
    "class": lambda row: row.tool.tool_class,
    "server": lambda row: row.server.name,
    "severity": lambda row: str(row.tool.severity),
    "effect": lambda row: str(row.effect or ""),
}


def _said(row: Row) -> Iterator[str]:
    yield row.tool.name
    yield row.server.name
    yield from row.grants
