"""Workers: every gateway process, what it runs of this organization, and who is behind."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from gateway_config.rollout import worker_rows


@require_safe
@member_required
def workers(request: MemberRequest) -> HttpResponse:
    """The page, or only the table where the page asks for it again."""
    only_table = request.headers.get("HX-Target") == "workers"
    template = "workers/_workers.html" if only_table else "workers/list.html"
    return render(request, template, {"workers": worker_rows(request.member), "section": "workers"})
