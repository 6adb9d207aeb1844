"""The policy's text, and beside it always what it would do. Drafts save themselves; agents feel nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput
from policies.kept_tests import kept_tests
from policies.models import Policy
from policies.outlook import outlook
from policies.services import save_draft
from policies.textdiff import text_diff
from policies.views._shared import find_policy, refusal, typed_text, typed_version


@require_safe
@member_required
def editor(request: MemberRequest, policy_id: str) -> HttpResponse:
    return _page(request, find_policy(request, policy_id))


@require_POST
@member_required
def check(request: MemberRequest, policy_id: str) -> HttpResponse:
    """What the typed text would do, or what is wrong with it. Nothing is kept."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    context = _judged(policy, typed_text(request))
    if not request.htmx:  # type: ignore[attr-defined]
        return _page(request, policy, text=typed_text(request))
    return render(request, "policies/_judgement.html", context)


@require_POST
@member_required
def save(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    text = typed_text(request)
    # What is stored already overwrites nobody: a click that crosses the page's own save is no stale edit.
    version = policy.version if text == policy.draft else typed_version(request)
    try:
        policy = save_draft(request.member, policy, text, if_version=version)
    except InvalidInput as invalid:
        refused = "; ".join(sentence for said in invalid.field_errors.values() for sentence in said)
        return _kept(request, policy, text, 422, {"refused": refused})
    except Conflict:
        policy.refresh_from_db()
        stale = {"stale": True, "differences": text_diff(policy.draft, text), "kept": typed_version(request)}
        return _kept(request, policy, text, 412, stale)
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "policies/_draft.html", _draft(policy))
        answer["ETag"] = f'"{policy.version}"'
        return answer
    wanted = "policies:review" if request.POST.get("then") == "review" else "policies:editor"
    return redirect(wanted, policy.public_id)


@require_POST
@member_required
def discard(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Back to the text that is in force."""
    policy = find_policy(request, policy_id)
    if policy.published_revision is None:
        raise Conflict("Nothing of this policy is published yet, so there is nothing to go back to.")
    save_draft(request.member, policy, policy.published_revision.text)
    return redirect("policies:editor", policy.public_id)


def _kept(
    request: MemberRequest, policy: Policy, text: str, status: int, why: dict[str, Any]
) -> HttpResponse:
    """The draft was not saved: say why, and hand every character back."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "policies/_draft.html", {**_draft(policy), **why}, status=status)
    return _page(request, policy, text=text, status=status, **why)


def _page(
    request: MemberRequest, policy: Policy, *, text: str | None = None, status: int = 200, **extra: Any
) -> HttpResponse:
    shown = policy.draft if text is None else text
    context = {
        **_draft(policy),
        **_judged(policy, shown),
        "text": shown,
        "may_edit": may(request.member, May.EDIT_POLICIES),
        "refusal": refusal(request, May.EDIT_POLICIES),
        "crumbs": crumbs(policy),
        "section": "policies",
        **extra,
    }
    return render(request, "policies/editor.html", context, status=status)


def _draft(policy: Policy) -> dict[str, Any]:
    live = policy.published_revision
    return {
        "policy": policy,
        "live": live,
        "differs": live is None or live.text != policy.draft,
        "kept": policy.version,
    }


def _judged(policy: Policy, text: str) -> dict[str, Any]:
    return {
        "policy": policy,
        "live": policy.published_revision,
        "grants": policy.grants.good().count(),
        "outlook": outlook(policy.server, text, policy.published_revision, tests=kept_tests(policy)),
    }


def crumbs(policy: Policy, *more: str) -> list[tuple[str, str]]:
    here = reverse("policies:editor", args=[policy.public_id]) if more else ""
    return [
        ("Servers", reverse("servers:list")),
        (policy.server.name, reverse("servers:detail", args=[policy.server.public_id])),
        ("Policies", reverse("policies:list")),
        (policy.name, here),
        *((title, "") for title in more),
    ]
