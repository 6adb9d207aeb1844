"""Pages of waiting calls, of answered ones, and of a single call. Looking at them decides nothing."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from approvals.answered import answered, newest, rows_of, turn
from approvals.cards import card, cards, like, waiting, wanted_of
from approvals.live import newest_position
from approvals.models import Approval, ApprovalQuerySet
from approvals.views._shared import find_approval
from common.near import MOST_LOOKED_AT, near_miss
from policies.language.place import lines_of
from policies.models import PolicyRevision

NEWEST = 5
PER_PAGE = 20
State = Approval.State
SHOWN = (
    ("", "All"),
    ("approved", "Approved"),
    ("declined", "Declined"),
    ("expired", "Expired"),
    ("superseded", "Void"),
)


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    member = request.member
    position, wanted = newest_position(member), wanted_of(request.GET.dict())
    everything = waiting(member)
    page = Paginator(like(everything, wanted), PER_PAGE).get_page(request.GET.get("page"))
    total = everything.count() if wanted else page.paginator.count
    context = {
        "cards": cards(member, page.object_list),
        "page": page,
        "wanted": wanted,
        "waiting_count": total,
        "total": total,
        "instead": "" if page.paginator.count else near_miss(wanted, _names(everything)),
        "position": position,
        "answered": rows_of(member, answered(member).values_list("pk", flat=True)[:NEWEST]),
        "section": "approvals",
    }
    return render(request, "approvals/list.html", context)


@require_safe
@member_required
def history(request: MemberRequest) -> HttpResponse:
    member, wanted = request.member, wanted_of(request.GET.dict())
    chosen = request.GET.get("state", "")
    turned = turn(member, chosen if chosen in dict(SHOWN) else "", wanted, request.GET.get("page"))
    near = "" if turned.page.paginator.count else near_miss(wanted, _names(newest(answered(member))))
    context = {
        "page": turned.page,
        "rows": turned.rows,
        "total": turned.total,
        "searched": turned.searched,
        "instead": near,
        "wanted": wanted,
        "chosen": chosen,
        "states": [
            {"label": label, "href": _link(value, wanted), "current": value == chosen}
            for value, label in SHOWN
        ],
        "crumbs": [("Approvals", reverse("approvals:list")), ("Answered", "")],
        "section": "approvals",
    }
    return render(request, "approvals/history.html", context)


@require_safe
@member_required
def detail(request: MemberRequest, approval_id: str) -> HttpResponse:
    """Show one call and ask. Links in mails, webhooks and the agent's client lead here."""
    row = find_approval(request, approval_id)
    shown = card(request.member, row)
    context = {
        "card": shown,
        "title": _title(row, shown.state),
        "lines": _lines(request, row),
        "crumbs": [("Approvals", reverse("approvals:list")), (row.tool, "")],
        "section": "approvals",
    }
    return render(request, "approvals/detail.html", context)


def _names(rows: ApprovalQuerySet) -> list[str]:
    found = rows.order_by().values_list("tool", "grant__label", "server__name").distinct()[:MOST_LOOKED_AT]
    return [name for names in found for name in names]


def _link(state: str, wanted: str) -> str:
    query = QueryDict(mutable=True)
    if state:
        query["state"] = state
    if wanted:
        query["q"] = wanted
    return reverse("approvals:history") + (f"?{query.urlencode()}" if query else "")


def _title(row: Approval, state: Approval.State) -> str:
    words = {
        State.PENDING: "waits for an answer",
        State.APPROVED: "is approved",
        State.USED: "was approved and sent",
        State.DECLINED: "was declined",
        State.EXPIRED: "expired",
        State.SUPERSEDED: "is void",
    }
    return f"{row.tool} {words[state]}"


def _lines(request: MemberRequest, row: Approval) -> list[tuple[int, str]]:
    """Return the numbered lines of the rule that asked, from the revision that judged the call."""
    if row.policy_revision_id is None:
        return []
    revision = PolicyRevision.objects.visible_to(request.member).filter(pk=row.policy_revision_id).first()
    place = lines_of(revision.document, row.rule) if revision else None
    if revision is None or place is None:
        return []
    text = revision.document.split("\n")
    return [(number, text[number - 1]) for number in range(place[0], place[1] + 1)]
