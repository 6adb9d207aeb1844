"""What these views share: finding rows for the asker, reading what was typed, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from common.errors import NotAllowed
from common.ids import public_id
from common.path_ids import uuid_or_404
from common.templatetags.ui import plain
from policies.language.once import each_text_once
from policies.models import Grant, Policy, PolicyRevision
from servers.models import Server

PER_PAGE = 50
MOST_TO_COPY = 200
P = ParamSpec("P")
R = TypeVar("R")


def reads_each_text_once(view: Callable[P, R]) -> Callable[P, R]:
    """For views that judge, edit and show one text: a large one is read once instead of a dozen times."""

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with each_text_once():
            return view(*args, **kwargs)

    return wrapped


def find_server(request: MemberRequest, server_id: str) -> Server:
    return get_object_or_404(Server.objects.visible_to(request.member), pk=uuid_or_404("srv", server_id))


def server_to_choose(request: MemberRequest) -> Server | dict[str, Any]:
    """Returns the only server there is, or the context of a page to choose one from."""
    servers = Server.objects.visible_to(request.member).filter(retired_at=None).order_by("name")
    total, wanted = servers.count(), request.GET.get("q", "").strip().replace("\x00", "")
    if total == 1:
        return servers.get()
    found = servers.filter(name__icontains=wanted) if wanted else servers
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return {"page": page, "total": total, "wanted": wanted}


def find_policy(request: MemberRequest, policy_id: str) -> Policy:
    mine = Policy.objects.visible_to(request.member).select_related("server", "published_revision")
    return get_object_or_404(mine, pk=uuid_or_404("pol", policy_id))


def find_revision(request: MemberRequest, policy: Policy, number: int) -> PolicyRevision:
    return get_object_or_404(PolicyRevision.objects.visible_to(request.member), policy=policy, number=number)


def find_grant(request: MemberRequest, grant_id: str) -> Grant:
    mine = Grant.objects.visible_to(request.member).select_related(
        "server", "policy__published_revision", "holder__user", "issued_by__user"
    )
    return get_object_or_404(mine, pk=uuid_or_404("grt", grant_id))


def to_copy(request: MemberRequest) -> list[tuple[str, str]]:
    """Returns the policies edited last, as choices: each with its name and that of its server."""
    mine = Policy.objects.visible_to(request.member).order_by("-draft_saved_at", "name")
    found = mine.values_list("pk", "name", "server__name")[:MOST_TO_COPY]
    return [(public_id("pol", pk), f"{plain(name)}, {plain(server)}") for pk, name, server in found]


def refusal(request: MemberRequest, act: May) -> str:
    """Returns the sentence to show instead of what this member may not do; empty if they may."""
    try:
        require(request.member, act)
    except NotAllowed as refused:
        return refused.message
    return ""


def typed_text(request: MemberRequest) -> str:
    """Browsers send the lines of a text area with CR LF; what was typed is LF."""
    return request.POST.get("document", "").replace("\r\n", "\n")


def draft_before(request: MemberRequest, policy: Policy) -> str:
    """Returns the text that came with an act; without a script none comes, and the stored draft is meant.

    A text area loses CR LF: if nothing else differs, this is the stored text, byte for byte.
    """
    if "document" not in request.POST:
        return policy.draft
    typed = typed_text(request)
    return policy.draft if policy.draft.replace("\r\n", "\n") == typed else typed


def typed_version(request: MemberRequest) -> int:
    """Returns 0, which no policy has, for anything that is not a version: the text then counts as stale."""
    typed = request.POST.get("on_top") or request.POST.get("version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
