"""A text from elsewhere for the draft: shows what it is and what it would do before it is put there."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from policies.beside import beside
from policies.brought import converted, dialect_words
from policies.models import Policy
from policies.outlook import outlook, tools_of
from policies.textdiff import text_diff
from policies.views._editor_page import asked_look, crumbs
from policies.views._shared import find_policy, reads_each_text_once, to_copy, typed_text

COPY = "copy"
NOTHING = "Paste a policy first, choose a file, or copy another policy."


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
@reads_each_text_once
def paste(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Saves nothing: once it is in the editor, the text is saved like anything typed there."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    if request.method != "POST":
        return _answer(request, policy, {}, "policies/_paste_dialog.html")
    typed = typed_text(request)
    text = _text_of_another(request) if request.POST.get("from") == COPY else typed
    if not text.strip():
        return _answer(request, policy, {"pasted": typed, "nothing": NOTHING}, status=422)
    return _answer(request, policy, _read(request, policy, typed, text))


def _text_of_another(request: MemberRequest) -> str:
    return find_policy(request, request.POST.get("copy", "")).draft


def _read(request: MemberRequest, policy: Policy, typed: str, text: str) -> dict[str, Any]:
    tools = tools_of(policy.server)
    brought = converted(text, tools)
    here = (brought.policy_text if brought else None) or text
    return {
        "pasted": here,
        "before": typed if typed.strip() and typed != here else request.POST.get("before", ""),
        "brought": brought,
        "dialect": dialect_words(brought),
        "same": here == policy.draft,
        "seen": outlook(policy.server, here, policy.published_revision, tools, beside(policy)),
        "differences": text_diff(policy.draft, here),
    }


def _answer(
    request: MemberRequest,
    policy: Policy,
    read: dict[str, Any],
    fragment: str = "policies/_paste.html",
    status: int = 200,
) -> HttpResponse:
    context = {
        "policy": policy,
        "live": policy.published_revision,
        "kept": policy.version,
        "others": [other for other in to_copy(request) if other[0] != policy.public_id],
        "look": asked_look(request),
        "crumbs": crumbs(policy, "Paste or import"),
        "section": "policies",
        **read,
    }
    template = fragment if request.htmx else "policies/paste.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=status)
