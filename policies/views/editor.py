"""The policy's text in three views, always beside what it would do. Drafts are saved automatically."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput, Stale
from policies.builder.look import VIEWS, Look
from policies.models import Policy
from policies.services import save_draft
from policies.textdiff import text_diff
from policies.views._editor_page import asked_look, draft_context, editor_page, editor_path, look_at
from policies.views._shared import find_policy, reads_each_text_once, typed_text, typed_version


@require_safe
@member_required
@reads_each_text_once
def editor(request: MemberRequest, policy_id: str) -> HttpResponse:
    return editor_page(look_at(request, find_policy(request, policy_id)))


@require_POST
@member_required
@reads_each_text_once
def check(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Shows what the typed text would do, or what is wrong with it. Saves nothing."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    editing = look_at(request, policy, typed_text(request), look=_json(request))
    if not request.htmx:  # type: ignore[attr-defined]
        return editor_page(editing)
    return render(request, "policies/_check_answer.html", editing.context())


@require_POST
@member_required
@reads_each_text_once
def save(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    text = typed_text(request)
    # A text that is stored already overwrites nothing: a click that crosses the page's own save is not stale.
    version = policy.version if text == policy.draft else typed_version(request)
    try:
        policy = save_draft(request.member, policy, text, if_version=version)
    except InvalidInput as invalid:
        return _kept(request, policy, text, 422, {"refused": refused_words(invalid)})
    except Conflict:
        policy.refresh_from_db()
        if policy.draft != text:  # otherwise the page's own save came in between
            return _kept(request, policy, text, 412, stale_words(request, policy, text))
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "policies/_draft_answer.html", draft_context(policy))
        answer["ETag"] = f'"{policy.version}"'
        return answer
    then = request.POST.get("then")
    if then == "review":
        return redirect("policies:review", policy.public_id)
    look = next((Look(view=key) for key, _ in VIEWS if key == then), asked_look(request))
    return redirect(editor_path(policy, look))


@require_POST
@member_required
def discard(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Goes back to the text in force, but never throws away unseen what someone else saved meanwhile."""
    policy = find_policy(request, policy_id)
    if policy.published_revision is None:
        raise Conflict("This policy is not published yet, so there is nothing to go back to.")
    text = policy.published_revision.text
    version = policy.version if text == policy.draft else typed_version(request)
    try:
        save_draft(request.member, policy, text, if_version=version)
    except Stale:
        return _kept(request, policy, text, 412, stale_words(request, policy, text))
    return redirect("policies:editor", policy.public_id)


def refused_words(invalid: InvalidInput) -> str:
    return "; ".join(sentence for said in invalid.field_errors.values() for sentence in said)


def stale_words(request: MemberRequest, policy: Policy, text: str) -> dict[str, Any]:
    """Shows the draft that someone saved meanwhile beside this text, and the version this text began with."""
    policy.refresh_from_db()
    return {"stale": True, "differences": text_diff(policy.draft, text), "kept": typed_version(request)}


def _kept(
    request: MemberRequest, policy: Policy, text: str, status: int, why: dict[str, Any]
) -> HttpResponse:
    """Says why the draft was not saved, and hands every character back."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "policies/_draft_answer.html", {**draft_context(policy), **why}, status=status)
    return editor_page(look_at(request, policy, text, look=_json(request), **why), status=status)


def _json(request: MemberRequest) -> Look:
    """Chooses the JSON view: a typed text is shown as it was typed."""
    return Look(view="json")
