"""The builder: does one act to the text that came with it, saves the new text and sends it back."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput
from policies.beside import beside
from policies.builder.acts import act
from policies.builder.fields import Fields
from policies.builder.look import Look
from policies.builder.rows import pointer_of
from policies.language.board import Address
from policies.language.problems import PolicyInvalid
from policies.language.text_edit import CannotEdit
from policies.mends import mended
from policies.models import Policy
from policies.outlook import tools_of
from policies.services import save_draft
from policies.views._editor_page import asked_look, editor_page, editor_path, look_at
from policies.views._shared import draft_before, find_policy, reads_each_text_once, typed_version
from policies.views.editor import refused_words, stale_words
from servers.models import Tool

# These acts only begin something: the card in which to finish it is opened.
_OPENING = frozenset({"limit", "rules", "hide", "deny"})


@require_POST
@member_required
@reads_each_text_once
def builder(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Without a script no text is sent, and the act is done to the stored draft."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    before, tools = draft_before(request, policy), tools_of(policy.server)
    try:
        text = _acted(request, policy, before, tools)
    except CannotEdit as cannot:
        return _answer(request, policy, before, 422, tools=tools, cannot=str(cannot))
    return _saved(request, policy, before, text, tools)


@require_POST
@member_required
@reads_each_text_once
def rewrite(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Does one act to the text that came and sends it back. Saves nothing: the editor holds the text."""
    policy = find_policy(request, policy_id)
    require(request.member, May.EDIT_POLICIES)
    try:
        text = _acted(request, policy, draft_before(request, policy), tools_of(policy.server))
    except CannotEdit as cannot:
        return HttpResponse(str(cannot), "text/plain; charset=utf-8", 422)
    return HttpResponse(text.encode("utf-8", "replace"), "text/plain; charset=utf-8")


def _acted(request: MemberRequest, policy: Policy, before: str, tools: list[Tool]) -> str:
    fields = Fields(dict(request.POST.lists()))
    if fields.get("do") == "mend":
        return mended(before, fields, tools, beside(policy))
    try:
        return act(before, fields, tools)
    except PolicyInvalid:
        raise CannotEdit("The text cannot be read as a policy just now. Mend its problems first.") from None


def _saved(request: MemberRequest, policy: Policy, before: str, text: str, tools: list[Tool]) -> HttpResponse:
    version = policy.version if text == policy.draft else typed_version(request)
    try:
        policy = save_draft(request.member, policy, text, if_version=version)
    except InvalidInput as invalid:
        return _answer(request, policy, before, 422, tools=tools, refused=refused_words(invalid))
    except Conflict:
        return _answer(request, policy, text, 412, tools=tools, **stale_words(request, policy, text))
    policy = find_policy(request, policy.public_id)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(editor_path(policy, _next_look(request)))
    return _answer(request, policy, text, tools=tools, done=_done(request) if text != before else "")


def _answer(request: MemberRequest, policy: Policy, text: str, status: int = 200, **why: Any) -> HttpResponse:
    look = _next_look(request)
    editing = look_at(request, policy, text, look=look, **why)
    if not request.htmx:  # type: ignore[attr-defined]
        return editor_page(editing, status)
    answer = render(request, "policies/_builder_answer.html", editing.context(), status=status)
    answer["HX-Replace-Url"] = editor_path(policy, look)
    return answer


def _next_look(request: MemberRequest) -> Look:
    look, fields = asked_look(request), request.POST
    if fields.get("do") == "verb" and fields.get("verb") in _OPENING:
        return look.opening(_pointer(fields.get("row", "")))
    if fields.get("do") == "add-row" and fields.get("name", "").strip():
        return look.opening(Address("tools", fields["name"].strip()).pointer)
    return look


def _pointer(key: str) -> str:
    return pointer_of(key)[:1000]


def _done(request: MemberRequest) -> str:
    """For the toast after a bulk act; single acts show in their row."""
    if request.POST.get("do") != "bulk":
        return ""
    count = len(request.POST.getlist("rows"))
    return f"Changed {count} row{'' if count == 1 else 's'}."
