"""Approving, declining, and reminding those who may answer. Only a POST decides."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.views.members import member_required
from approvals import notices, services
from approvals.cards import card
from approvals.models import Approval
from approvals.views._shared import find_approval
from common.errors import Conflict, InvalidInput
from common.going_back import back_to

Verb = Callable[[Membership, Approval, str], Approval]


@require_POST
@member_required
def approve(request: MemberRequest, approval_id: str) -> HttpResponse:
    return _answer(request, approval_id, services.approve)


@require_POST
@member_required
def decline(request: MemberRequest, approval_id: str) -> HttpResponse:
    return _answer(request, approval_id, services.decline)


@require_POST
@member_required
def remind(request: MemberRequest, approval_id: str) -> HttpResponse:
    row = find_approval(request, approval_id)
    reached = notices.remind(request.member, row)
    people = "person was" if reached == 1 else "people were"
    messages.success(request, f"{reached or 'No'} {people} written to." if reached else "Nobody gets e-mail.")
    return redirect("approvals:detail", row.public_id)


def _answer(request: MemberRequest, approval_id: str, verb: Verb) -> HttpResponse:
    row = find_approval(request, approval_id)
    beside = getattr(request, "htmx", False)
    try:
        row = verb(request.member, row, request.POST.get("note", ""))
    except (Conflict, InvalidInput) as refused:
        if not beside:
            raise
        return _card(request, approval_id, _sentence(refused), 409)
    if beside:
        return _card(request, approval_id)
    done = "approved. It goes through when the agent repeats it." if _is_yes(row) else "declined."
    messages.success(request, f"{row.tool} is {done}")
    return back_to(request, "approvals:list")


def _card(request: MemberRequest, approval_id: str, refused: str = "", status: int = 200) -> HttpResponse:
    """Render the card as it is now. It takes the focus, because the button that had it is gone."""
    shown = card(request.member, find_approval(request, approval_id))
    context = {"card": shown, "refused": refused, "answered_here": True, "level": 2}
    return render(request, "approvals/_card.html", context, status=status)


def _sentence(refused: Conflict | InvalidInput) -> str:
    if isinstance(refused, InvalidInput):
        return " ".join(sentence for said in refused.field_errors.values() for sentence in said)
    return refused.message


def _is_yes(row: Approval) -> bool:
    return row.state in (Approval.State.APPROVED, Approval.State.USED)
