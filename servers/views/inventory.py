"""Everything your agents can call: all tools of all servers, worst first, and which grants reach each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from operator import itemgetter
from typing import Final

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from common.csv_cells import csv_text
from common.near import near_miss
from common.templatetags._words import EFFECT_WORDS, effect_key
from servers.models import Severity, ToolClass
from servers.reach import BEST_FIRST
from servers.shelves import Row, Shelf, shelves, totals_of

PER_PAGE = 50
MOST_LABELS = 200


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    all_of_them = shelves(request.member)
    labels = {label for one in all_of_them for label, judged in one.server.grants if judged.lets_any_through}
    query = request.GET.copy()
    query.pop("page", None)
    found = _filtered(all_of_them, request.GET)
    instead = "" if found else near_miss(request.GET.get("q", "").strip(), _names(all_of_them))
    context = {
        **totals_of(all_of_them)._asdict(),
        "instead": instead,
        "rows": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "servers": [(name, name) for name in sorted(one.server.name for one in all_of_them)],
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


def _names(of: Sequence[Shelf]) -> Iterator[str]:
    return (row.tool.name for shelf in of for row in shelf.rows)


@require_safe
@member_required
def as_csv(request: MemberRequest) -> HttpResponse:
    """Sends what the list shows, on all its pages."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ("tool", "server", "class", "severity", "what_can_happen", "value", "decided_by", "reached_by")
    )
    writer.writerows(map(_cells, _filtered(shelves(request.member), request.GET)))
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="everything-callable.csv"'
    return answer


def _cells(row: Row) -> tuple[object, ...]:
    """Names and labels are anyone's words; the other cells are ours and never begin like a formula."""
    tool, server, place = row
    named = (csv_text(tool.name), csv_text(server.name), tool.tool_class, _SEVERITIES.get(tool.severity, ""))
    if not server.best:
        return (*named, "", "", "", "")
    best = server.best[place]
    said = (_EFFECTS[best.ranks[place]], best.values[place], best.rules[place])
    return (*named, *said, csv_text(" ".join(row.grants)))


_SEVERITIES: Final[Mapping[int, str]] = {one.value: one.label for one in Severity}
_EFFECTS: Final = tuple(one.value for one in BEST_FIRST)


def _filtered(of: Sequence[Shelf], wanted: QueryDict) -> Sequence[Row]:
    """Returns the rows, worst first. What concerns a whole server is checked once for that server."""
    if server := wanted.get("server", ""):
        of = [shelf for shelf in of if shelf.server.name == server]
    found = [row for shelf in of for row in _of_one(shelf, wanted)]
    found.sort(key=itemgetter(0))
    return found


def _of_one(shelf: Shelf, wanted: QueryDict) -> Sequence[Row]:
    """Applies the cheapest filters first, each to the rows that the previous ones left."""
    rows = shelf.rows
    for name, of_row in _ASKED.items():
        if value := wanted.get(name, ""):
            rows = [row for row in rows if of_row(row) == value]
    if wanted.get("reach") == "yes":
        rows = [row for row in rows if row.within_reach]
    if wanted.get("unruled") == "yes":
        rows = [row for row in rows if row.unruled]
    if label := wanted.get("grant", ""):
        rows = _reached(rows, shelf, lambda one: one == label)
    if words := wanted.get("q", "").casefold().strip():
        rows = _said(rows, shelf, words)
    return rows


_ASKED: Final[Mapping[str, Callable[[Row], str]]] = {
    "class": lambda row: row.tool.tool_class,
    "severity": lambda row: str(row.tool.severity),
    "effect": lambda row: str(row.effect or ""),
}


def _reached(rows: Sequence[Row], shelf: Shelf, by: Callable[[str], bool]) -> Sequence[Row]:
    """Returns the rows that a grant with such a label gets through to."""
    through = [judged for label, judged in shelf.server.grants if by(label)]
    return [row for row in rows if any(judged.lets_through(row.place) for judged in through)]


def _said(rows: Sequence[Row], shelf: Shelf, words: str) -> Sequence[Row]:
    """Returns the rows with the words in the name of the tool, its server or a grant that reaches it."""
    if words in shelf.server.name.casefold():
        return rows
    reached = {row.place for row in _reached(rows, shelf, lambda label: words in label.casefold())}
    return [row for row in rows if row.place in reached or words in row.tool.name.casefold()]
