"""The live log: newest decisions as they happen, and one in full, beside the list or on its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.tenancy import Asker
from accounts.views.members import member_required
from audit.as_test import CallToTest, call_to_test
from audit.days import newest_position
from audit.kept import read
from audit.live import filters_of, moment_of
from audit.models import DecisionRecord
from audit.queries import DecisionRow, Decisions, calls_since, decision, decisions
from audit.search import STRETCH, Filters
from audit.trace import Step, trace
from audit.views import export
from common.ids import parse_public_id, public_id
from gateway_config.wire.messages import KeptArgument
from policies.builder.look import Look
from policies.language.place import lines_of
from policies.language.problems import escape_token
from policies.language.sentences import wire_code
from policies.models import Grant, Policy, PolicyRevision
from servers.models import Server

PAGE = 100
A_MINUTE = timedelta(minutes=1)
MOST_CHOICES = 200
CONTEXT_LINES = 3
TIMES = (
    ("", "Any time"),
    ("15m", "Last 15 minutes"),
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
)
OUTCOMES = (
    ("", "All"),
    ("stopped", "Stopped"),
    ("allow", "Allowed"),
    ("limit", "Held back"),
    ("approval", "Asked a person"),
    ("deny", "Denied"),
    ("hidden", "Hidden"),
)
_REFUSED = {
    "limit_exceeded": "was held back",
    "limiter_unavailable": "was held back",
    "hidden": "is hidden",
    "approval_declined": "was declined",
    "approval_expired": "was not approved in time",
}


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    decided: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """One decision with everything its templates show."""

    row: DecisionRow
    record: DecisionRecord
    agent_read: str
    lines: list[Line]
    trace: list[Step]
    kept: tuple[KeptArgument, ...]
    keeps: bool
    policy_id: str | None
    mark: str
    mark_line: str
    closed: str
    to_test: CallToTest | None
    editor: str  # where to make a rule for such calls; empty if the reader may not, or none can be made


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    member = request.member
    position = newest_position(member)
    before = request.GET.get("before", "")
    older_than = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    shown = filters_of(request.GET)
    found = decisions(member, shown, before=older_than, limit=PAGE)
    query = _without(request.GET, "before", "open")
    context = {
        "rows": found.rows,
        "position": position,
        "live": older_than is None,
        "lately": _lately(member, shown, found) if older_than is None else 0,
        "query": query.urlencode(),
        "older": found.older,
        "reached": found.reached,
        "stretch": f"{STRETCH:,}",
        "most_in_a_file": f"{export.MOST:,}",
        "opened": _opened_in(request),
        "wanted": request.GET,
        "filtered": any(query.values()),
        "chips": _chips(query),
        "kept": [
            (name, query[name]) for name in ("outcome", "rule", "tool", "since", "until") if query.get(name)
        ],
        "retention": member.organization.log_retention_days,
        "times": TIMES,
        "outcomes": _outcomes(query),
        "servers": _choices("srv", Server.objects.visible_to(member), "name"),
        "grants": _choices("grt", Grant.objects.visible_to(member), "label"),
        "section": "log",
    }
    return render(request, "audit/log.html", context)


def _choices(prefix: str, rows: QuerySet[Any], words: str) -> list[tuple[str, str]]:
    found = rows.order_by(words).values_list("pk", words)[:MOST_CHOICES]
    return [(public_id(prefix, pk), text) for pk, text in found]


def _lately(member: Asker, filters: Filters, found: Decisions) -> int:
    """Count the calls of the last minute. The page has them all, unless its last row arrived within it."""
    since = timezone.now() - A_MINUTE
    if found.rows and found.rows[-1].record.arrived_at > since:
        return calls_since(member, filters, since)
    return sum(row.record.at > since for row in found.rows)


@require_safe
@member_required
def detail(request: MemberRequest, decision_id: str) -> HttpResponse:
    """Show one decision: on its own page or, if the list asks, beside it and under the list's address."""
    row = _find(request, decision_id)
    if row is None:
        raise Http404
    if request.headers.get("HX-Target") == "opened":
        shown_query = QueryDict(urlsplit(request.headers.get("HX-Current-URL", "")).query, mutable=True)
        opened = _opened(request, row, shown_query)
        answer = render(request, "audit/_opened.html", {"opened": opened})
        shown_query["open"] = row.id
        answer["HX-Push-Url"] = f"{reverse('audit:log')}?{shown_query.urlencode()}"
        return answer
    subject = row.record.tool or row.record.method
    context = {
        "opened": _opened(request, row, QueryDict()),
        "title": f"{subject} {_what_happened(row)}",
        "crumbs": [("Live log", reverse("audit:log")), (subject, "")],
        "section": "log",
    }
    return render(request, "audit/decision.html", context)


def _what_happened(row: DecisionRow) -> str:
    """Say what the gateway did; the mark beside it says what has become of an approval since."""
    match row.record.outcome:
        case "allow":
            return "was approved" if row.approval_id else "was allowed"
        case "approval":
            return "needs a person’s approval"
        case _:
            return _REFUSED.get(row.record.code or "", "was denied")


def _find(request: MemberRequest, decision_id: str) -> DecisionRow | None:
    try:
        return decision(request.member, parse_public_id("dec", decision_id))
    except ValueError:
        return None


def _opened_in(request: MemberRequest) -> Opened | None:
    wanted = request.GET.get("open")
    row = _find(request, wanted) if wanted else None
    return _opened(request, row, request.GET) if row else None


def _opened(request: MemberRequest, row: DecisionRow, query: QueryDict) -> Opened:
    rest = _without(query, "open").urlencode()
    allowed = row.record.outcome == "allow"
    kept = read(row.record) if may(request.member, May.READ_ARGUMENTS) else ()
    document = _document(request, row)
    return Opened(
        row=row,
        record=row.record,
        agent_read=_agent_read(row),
        lines=_lines(document, row.record.rule),
        trace=trace(row.record, document),
        kept=kept,
        keeps=bool(row.record.sealed_arguments),
        policy_id=public_id("pol", row.policy_id) if isinstance(row.policy_id, UUID) else None,
        mark="chg" if allowed else "err",
        mark_line="chg" if allowed else "hit",
        closed=reverse("audit:log") + (f"?{rest}" if rest else ""),
        to_test=_to_test(request, row, kept),
        editor=_editor(request, row),
    )


def _outcomes(query: QueryDict) -> list[dict[str, object]]:
    """Return links to the same list for each outcome."""
    links: list[dict[str, object]] = []
    for value, label in OUTCOMES:
        other = _without(query, "outcome")
        if value:
            other["outcome"] = value
        href = reverse("audit:log") + (f"?{other.urlencode()}" if other else "")
        links.append({"label": label, "href": href, "current": query.get("outcome", "") == value})
    return links


def _chips(query: QueryDict) -> list[tuple[str, str]]:
    """Return the filters that no form field shows, each with the address without it."""
    shown = [
        (f"Rule {query['rule']}", _without(query, "rule")) if query.get("rule") else None,
        (f"Tool {query['tool']}", _without(query, "tool")) if query.get("tool") else None,
        (words, _without(query, "since", "until")) if (words := _stretch(query)) else None,
    ]
    return [(words, f"?{rest.urlencode()}") for words, rest in filter(None, shown)]


def _stretch(query: QueryDict) -> str:
    since, until = moment_of(query.get("since", "")), moment_of(query.get("until", ""))
    if any(query.get(name) and at is None for name, at in (("since", since), ("until", until))):
        return "A time that cannot be read"
    if since and until and since.date() == until.date():
        return f"{since:%-d %b %H:%M} to {until:%H:%M} UTC"
    ends = [f"{word} {at:%-d %b %H:%M}" for word, at in (("from", since), ("until", until)) if at]
    return f"{' '.join(ends)} UTC".capitalize() if ends else ""


def _to_test(request: MemberRequest, row: DecisionRow, kept: tuple[KeptArgument, ...]) -> CallToTest | None:
    """Offer a test for the policy that decided, if it still exists and its server is not retired."""
    if row.record.method != "tools/call" or not may(request.member, May.EDIT_POLICIES):
        return None
    policies = Policy.objects.visible_to(request.member).filter(server__retired_at=None)
    policy = policies.filter(pk=row.policy_id).first() if row.policy_id else None
    return call_to_test(policy.public_id, row.record, kept) if policy else None


def _editor(request: MemberRequest, row: DecisionRow) -> str:
    """Return the address of this tool's row in the grant's current policy."""
    if row.record.method != "tools/call" or not may(request.member, May.EDIT_POLICIES):
        return ""
    grant = Grant.objects.visible_to(request.member).filter(pk=row.record.grant_id).first()
    if grant is None or grant.policy_id is None:
        return ""
    look = Look().opening(f"/tools/{escape_token(row.record.tool)}")
    return reverse("policies:editor", args=[public_id("pol", grant.policy_id)]) + look.query


def _without(query: QueryDict, *names: str) -> QueryDict:
    rest = query.copy()
    for name in names:
        rest.pop(name, None)
    return rest


def _agent_read(row: DecisionRow) -> str:
    record = row.record
    if record.outcome == "allow" or record.code is None:
        return ""
    prefix = "[APPROVAL REQUIRED]" if record.outcome == "approval" else "[POLICY DENIED]"
    hidden = wire_code(record.code) == "not_available"
    return (
        f"{prefix} No tool named {record.tool} is available here." if hidden else f"{prefix} {record.reason}"
    )


def _document(request: MemberRequest, row: DecisionRow) -> str | None:
    """Return the document of the revision that decided; None if no rule did, or it is no longer known."""
    decided_by = row.record.policy_revision_id
    if decided_by is None or not row.record.rule.startswith("/"):
        return None
    revision = PolicyRevision.objects.visible_to(request.member).filter(pk=decided_by).first()
    return revision.document if revision else None


def _lines(document: str | None, rule: str) -> list[Line]:
    """Return the part of the document that decided, with a few lines around it; empty if no rule did."""
    place = lines_of(document, rule) if document is not None else None
    if document is None or place is None:
        return []
    text = document.split("\n")
    first, last = place
    shown = range(max(first - CONTEXT_LINES, 1), min(last + CONTEXT_LINES, len(text)) + 1)
    return [Line(number, text[number - 1], first <= number <= last) for number in shown]
