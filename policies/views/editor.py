"""The policy's text in three views, and beside it always what it would do. Drafts save themselves."""

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
    """What the typed text would do, or what is wrong with it. Nothing is kept."""
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
    # What is stored already overwrites nobody: a click that crosses the page's own save is no stale edit.
    version = policy.version if text == policy.draft else typed_version(request)
    try:
        policy = save_draft(request.member, policy, text, if_version=version)
    except InvalidInput as invalid:
        return _kept(request, policy, text, 422, {"refused": refused_words(invalid)})
    except Conflict:
        policy.refresh_from_db()
        if policy.draft != text:  # else the page's own save came in between
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
    """Back to the text that is in force. What someone else saved meanwhile is not thrown away unseen."""
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
    """Someone saved meanwhile: theirs beside mine, and the version that mine began with."""
    policy.refresh_from_db()
    return {"stale": True, "differences": text_diff(policy.draft, text), "kept": typed_version(request)}


def _kept(
    request: MemberRequest, policy: Policy, text: str, status: int, why: dict[str, Any]
) -> HttpResponse:
    """The draft was not saved: say why, and hand every character back."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "policies/_draft_answer.html", {**draft_context(policy), **why}, status=status)
    return editor_page(look_at(request, policy, text, look=_json(request), **why), status=status)


def _json(request: MemberRequest) -> Look:
    """A text as it was typed is shown as it was typed."""
    return Look(view="json")
