"""The live log: newest decisions as they happen, and one of them in full."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from audit.live import filters_of
from audit.queries import DecisionRow, decision, decisions, newest_position
from common.ids import parse_public_id
from policies.language.place import lines_of
from policies.language.sentences import wire_code
from policies.models import Grant, PolicyRevision
from servers.models import Server

PAGE = 100
CONTEXT_LINES = 3
OUTCOMES = [
    ("", "All"),
    ("allow", "Allowed"),
    ("limit", "Held back"),
    ("deny", "Denied"),
    ("hidden", "Hidden"),
]


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    decided: bool


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    member = request.member
    position = newest_position(member)
    before = request.GET.get("before", "")
    older_than = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    rows = decisions(member, filters_of(request.GET), before=older_than, limit=PAGE)
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "rows": rows,
        "position": position,
        "live": older_than is None,
        "query": query.urlencode(),
        "older": rows[-1].position if len(rows) == PAGE else None,
        "wanted": request.GET,
        "filtered": any(query.values()),
        "outcomes": OUTCOMES,
        "servers": Server.objects.visible_to(member).order_by("name"),
        "grants": Grant.objects.visible_to(member).order_by("label")[:200],
        "section": "log",
    }
    return render(request, "audit/log.html", context)


@require_safe
@member_required
def detail(request: MemberRequest, decision_id: str) -> HttpResponse:
    try:
        row = decision(request.member, parse_public_id("dec", decision_id))
    except ValueError:
        raise Http404 from None
    if row is None:
        raise Http404
    words = {"allow": "was allowed", "approval": "waits for a person"}.get(row.record.outcome, "was denied")
    context = {
        "row": row,
        "title": f"{row.record.tool or row.record.method} {words}",
        "record": row.record,
        "agent_read": _agent_read(row),
        "lines": _lines(request, row),
        "crumbs": [("Live log", reverse("audit:log")), (row.record.tool or row.record.method, "")],
        "section": "log",
    }
    return render(request, "audit/decision.html", context)


def _agent_read(row: DecisionRow) -> str:
    record = row.record
    if record.outcome == "allow" or record.code is None:
        return ""
    prefix = "[APPROVAL REQUIRED]" if record.outcome == "approval" else "[POLICY DENIED]"
    hidden = wire_code(record.code) == "not_available"
    return (
        f"{prefix} No tool named {record.tool} is available here." if hidden else f"{prefix} {record.reason}"
    )


def _lines(request: MemberRequest, row: DecisionRow) -> list[Line]:
    """The part of the revision that decided, with a few lines around it; empty where no rule did."""
    decided_by = row.record.policy_revision_id
    if decided_by is None or not row.record.rule.startswith("/"):
        return []
    revision = PolicyRevision.objects.visible_to(request.member).filter(pk=decided_by).first()
    if revision is None:
        return []
    place = lines_of(revision.document, row.record.rule)
    if place is None:
        return []
    text = revision.document.split("\n")
    first, last = place
    shown = range(max(first - CONTEXT_LINES, 1), min(last + CONTEXT_LINES, len(text)) + 1)
    return [Line(number, text[number - 1], first <= number <= last) for number in shown]
