"""Tries a call, and keeps its outcome as a test. Nothing is sent and nothing is counted."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from common.errors import InvalidInput, NotFound
from policies.builder.trial import Trial, as_grant, expectation_of, more_arguments, read_trial, test_of
from policies.kept_tests import change_expectation, drop_test, keep_test
from policies.language.loose_json import RequestInvalid
from policies.language.problems import PolicyInvalid
from policies.models import Policy
from policies.outlook import facts_of, tools_of
from policies.replay import replay
from policies.services import judge
from policies.traffic import traffic_of
from policies.views._editor_page import asked_look, editor_page, editor_path, look_at
from policies.views._shared import draft_before, find_grant, find_policy, reads_each_text_once
from servers.models import Tool


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
@reads_each_text_once
def try_call(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Answers with the editor's page. Its relative links lead here, so a GET is redirected to the editor."""
    policy = find_policy(request, policy_id)
    if request.method != "POST":
        return redirect(editor_path(policy, asked_look(request)))
    may_edit = may(request.member, May.EDIT_POLICIES)
    # A member who may only read tries the stored draft: no text of their own choosing is judged for them.
    text = draft_before(request, policy) if may_edit else policy.draft
    tools = tools_of(policy.server)
    trial = _by_grant(request, policy, text, tools, read_trial(text, request.POST.dict(), tools))
    if request.htmx:  # type: ignore[attr-defined]
        context = {"policy": policy, "trial": trial, "may_edit": may_edit}
        context |= {"more": more_arguments(trial, tools), "out_of_band": True}
        return render(request, "policies/_try_answer.html", context)
    return editor_page(look_at(request, policy, tried=trial, keeping="keeping" in request.POST))


def _by_grant(request: MemberRequest, policy: Policy, text: str, tools: list[Tool], trial: Trial) -> Trial:
    """Adds what the counters of the chosen grant would say; returns the trial as it is if none was chosen."""
    wanted = request.POST.get("grant", "")
    if not wanted or trial.decision is None:
        return trial
    grant = find_grant(request, wanted)
    compiled = judge(text, [facts_of(tool) for tool in tools]).compiled
    if compiled is None or grant.policy_id != policy.pk:
        return trial
    seen = replay(compiled, traffic_of(request.member, policy))
    return as_grant(trial, grant.label, wanted, seen, grant.pk, int(timezone.now().timestamp() * 1000))


@require_POST
@member_required
@reads_each_text_once
def keep(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Keeps a call and its outcome as a test that the policy has to pass from now on."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    try:
        keep_test(request.member, policy, test_of(request.POST.dict()))
    except (InvalidInput, PolicyInvalid, RequestInvalid) as refused:
        return _tests(request, policy, 422, str(refused))
    return _tests(request, policy)


@require_POST
@member_required
@reads_each_text_once
def drop(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    # Someone else may have dropped it already, which is what was asked for.
    with suppress(NotFound):
        drop_test(request.member, policy, request.POST.get("name", ""))
    return _tests(request, policy)


@require_POST
@member_required
@reads_each_text_once
def expect(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Expects what the button said. If the policy decides otherwise by now, the test fails and says so."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    sent = request.POST
    try:
        wanted = expectation_of(sent.get("expect", ""))
        change_expectation(request.member, policy, sent.get("name", ""), wanted, sent.get("rule", ""))
    except (InvalidInput, NotFound, PolicyInvalid, RequestInvalid) as refused:
        return _tests(request, policy, 422, str(refused))
    return _tests(request, policy)


def _tests(request: MemberRequest, policy: Policy, status: int = 200, refused: str = "") -> HttpResponse:
    policy = find_policy(request, policy.public_id)
    editing = look_at(request, policy, draft_before(request, policy), test_refused=refused)
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "policies/_tests_answer.html", editing.context(), status=status)
        answer["HX-Trigger"] = "layer:tests-changed"  # a check under way did not use these tests
        return answer
    if refused:
        return editor_page(editing, status)
    return redirect(editor_path(policy, asked_look(request)))
