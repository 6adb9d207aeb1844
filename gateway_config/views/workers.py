"""Workers: every gateway process, what it runs for this organization, and which are behind."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from gateway_config.rollout import dead_letter_of, worker_rows
from gateway_config.services import try_again


@require_safe
@member_required
def workers(request: MemberRequest) -> HttpResponse:
    """The page, or only the part of it that is refreshed: the table, or the few words in the frame."""
    target = request.headers.get("HX-Target")
    if target == "nav-rollout":
        return render(request, "components/nav_rollout.html")
    template = "workers/_workers.html" if target == "workers" else "workers/list.html"
    shown = {
        "workers": worker_rows(request.member),
        "given_up": dead_letter_of(request.member),
        "may_publish": may(request.member, May.PUBLISH),
        "section": "workers",
    }
    return render(request, template, shown)


@require_POST
@member_required
def publish_again(request: MemberRequest) -> HttpResponse:
    try_again(request.member)
    return redirect("workers")
