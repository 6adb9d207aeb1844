"""Try a call, and keep what it came to as a test. Nothing is sent and nothing is counted."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from common.errors import InvalidInput, NotFound
from policies.builder.trial import read_trial, test_of
from policies.kept_tests import drop_test, keep_test
from policies.language.loose_json import RequestInvalid
from policies.language.problems import PolicyInvalid
from policies.models import Policy
from policies.outlook import tools_of
from policies.views._editor_page import asked_look, editor_page, editor_path, look_at
from policies.views._shared import draft_before, find_policy


@require_POST
@member_required
def try_call(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    may_edit = may(request.member, May.EDIT_POLICIES)
    # Whoever only reads tries what is stored; a text of their own choosing is not judged for them.
    text = draft_before(request, policy) if may_edit else policy.draft
    trial = read_trial(text, request.POST.dict(), tools_of(policy.server))
    if request.htmx:  # type: ignore[attr-defined]
        context = {"policy": policy, "trial": trial, "may_edit": may_edit}
        return render(request, "policies/_verdict.html", context)
    return editor_page(look_at(request, policy, tried=trial))


@require_POST
@member_required
def keep(request: MemberRequest, policy_id: str) -> HttpResponse:
    """A call with what it comes to, as a test that the policy has to pass from now on."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    try:
        keep_test(request.member, policy, test_of(request.POST.dict()))
    except (InvalidInput, PolicyInvalid, RequestInvalid) as refused:
        return _tests(request, policy, 422, str(refused))
    return _tests(request, policy)


@require_POST
@member_required
def drop(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    # Somebody may have been quicker; it is gone then, which is what was asked for.
    with suppress(NotFound):
        drop_test(request.member, policy, request.POST.get("name", ""))
    return _tests(request, policy)


def _tests(request: MemberRequest, policy: Policy, status: int = 200, refused: str = "") -> HttpResponse:
    policy = find_policy(request, policy.public_id)
    editing = look_at(request, policy, draft_before(request, policy), test_refused=refused)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "policies/_judgement.html", editing.context(), status=status)
    if refused:
        return editor_page(editing, status)
    return redirect(editor_path(policy, asked_look(request)))
