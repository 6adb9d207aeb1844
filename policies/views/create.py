"""Creating a policy: from the nearest start for one server, or from a text that exists already."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from common.refusals import REFUSED, say_in_form
from policies.brought import converted, dialect_words
from policies.forms import StartForm
from policies.language.convert import Conversion
from policies.models import Policy
from policies.outlook import outlook, tools_of
from policies.services import create_policy
from policies.starts import Start, starts
from policies.views._shared import find_policy, find_server, server_to_choose, to_copy
from servers.models import Server, Tool

PASTE, COPY = "paste", "copy"
UNUSED = "That start does not use this text. Start from the text, or clear it and choose the start again."


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def create(request: MemberRequest) -> HttpResponse:
    require(request.member, May.EDIT_POLICIES)
    if request.method == "POST":
        return _begin(request, find_server(request, request.POST.get("server", "")))
    if named := request.GET.get("server"):
        return _page(request, find_server(request, named))
    offered = server_to_choose(request)
    if isinstance(offered, Server):
        return _page(request, offered)
    context = {**offered, "section": "policies", "crumbs": _crumbs()}
    return render(request, "policies/choose_server.html", context)


def _begin(request: MemberRequest, server: Server) -> HttpResponse:
    tools = tools_of(server)
    form = StartForm(request.POST)
    chosen = {start.key: start.document for start in starts(tools)}
    chosen[PASTE] = request.POST.get("document", "").replace("\r\n", "\n")
    if request.POST.get("start") == COPY:
        return _copied(request, server, tools)
    if form.is_valid():
        key = form.cleaned_data["start"]
        if key not in chosen:
            form.add_error(None, "Choose where the policy starts.")
        elif not chosen[key].strip():
            form.add_error("document", "Paste the policy first, or choose a start above.")
        elif key != PASTE and chosen[PASTE].strip():
            form.add_error("document", UNUSED)
        elif key == PASTE and (brought := converted(chosen[key], tools)):
            return _page(request, server, form, tools, brought, before=chosen[PASTE])
        else:
            try:
                policy = create_policy(request.member, server, form.cleaned_data["name"], chosen[key])
            except REFUSED as refused:
                return _page(request, server, form, tools, status=say_in_form(form, refused))
            else:
                return redirect("policies:editor", policy.public_id)
    return _page(request, server, form, tools)


def _page(
    request: MemberRequest,
    server: Server,
    form: StartForm | None = None,
    tools: list[Tool] | None = None,
    brought: Conversion | None = None,
    status: int = 422,
    before: str = "",
) -> HttpResponse:
    known = tools_of(server) if tools is None else tools
    context = {
        "title": f"A policy for {server.name}",
        "lede": _lede(len(known)),
        "server": server,
        "form": form or StartForm(initial={"server": server.public_id, "name": free_name(server)}),
        "before": before or request.POST.get("before", ""),
        "others": to_copy(request),
        "starts": [_judged(start, server, known) for start in starts(known)],
        "tool_count": len(known),
        "brought": brought,
        "dialect": dialect_words(brought),
        "crumbs": _crumbs(server),
        "section": "policies",
    }
    return render(request, "policies/start.html", context, status=status if form is not None else 200)


def _copied(request: MemberRequest, server: Server, tools: list[Tool]) -> HttpResponse:
    """Puts another policy's draft into the text field; what was typed there stays on the page."""
    typed = request.POST.get("document", "").replace("\r\n", "\n")
    draft = find_policy(request, request.POST.get("copy", "")).draft
    form = StartForm(initial={**request.POST.dict(), "server": server.public_id, "document": draft})
    replaced = typed if typed.strip() and typed != draft else ""
    return _page(request, server, form, tools, status=200, before=replaced)


def _lede(tools: int) -> str:
    what = f"this server’s {tools} tools" if tools != 1 else "this server’s one tool"
    return (
        f"Pick the nearest start. Each bar is what it would do to {what}. "
        "It becomes a draft; agents feel nothing until you publish."
    )


def _judged(start: Start, server: Server, tools: list[Tool]) -> dict[str, Any]:
    return {"start": start, "counts": outlook(server, start.document, None, tools).counts}


def free_name(server: Server) -> str:
    taken = set(Policy.objects.filter(server=server).values_list("name", flat=True))
    names = ["agents", *(f"agents-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)


def _crumbs(server: Server | None = None) -> list[tuple[str, str]]:
    if server is None:
        return [("Policies", reverse("policies:list")), ("New", "")]
    return [
        ("Servers", reverse("servers:list")),
        (server.name, reverse("servers:detail", args=[server.public_id])),
        ("Policies", reverse("policies:list")),
        ("New", ""),
    ]
