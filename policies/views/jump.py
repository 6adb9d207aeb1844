"""Finds pages, servers, policies, grants, tools and things to do by a few letters of their names.

The palette shows this beside any page; without JavaScript it is a page of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Length
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.permissions import May, may
from accounts.views.members import member_required
from policies.builder.look import Look
from policies.language.effects import Effect
from policies.language.problems import escape_token
from policies.models import Grant, Policy
from servers.models import Server, Tool
from servers.reach import furthest

MOST_OF_A_KIND: Final = 6
PAGES: Final = (
    ("overview", "Overview"),
    ("servers:list", "Servers"),
    ("servers:inventory", "Everything callable"),
    ("policies:list", "Policies"),
    ("grants:list", "Grants"),
    ("audit:log", "Live log"),
    ("approvals:list", "Approvals"),
    ("approvals:history", "Answered approvals"),
    ("workers", "Workers"),
    ("onboarding", "First steps"),
    ("settings", "Settings"),
    ("members", "Members and invitations"),
    ("api-keys", "API keys"),
    ("approvals:settings", "Approval rules, e-mail and webhooks"),
    ("security-settings", "Security and retention"),
    ("usage", "Usage and limits"),
    ("audit-events", "Audit events"),
    ("account", "Your account"),
    ("mfa_index", "Two-step sign-in"),
    ("api-docs", "API reference"),
)
VERBS: Final = (
    ("servers:register", "Register a server", May.MANAGE_SERVERS),
    ("policies:create", "Write a policy", May.EDIT_POLICIES),
    ("grants:issue", "Issue a grant", May.ISSUE_GRANTS),
    ("members", "Invite someone", May.MANAGE_MEMBERS),
    ("api-keys", "Make an API key", May.MAKE_KEYS),
    ("found-organization", "Create another organization", May.READ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """`tool`: `words` is the name of a tool. `effect`: what the most open grant does to its calls."""

    group: str
    icon: str
    words: str
    href: str
    beside: str = ""
    tool: bool = False
    effect: Effect | None = field(default=None, compare=False)


@require_safe
@member_required
def jump(request: MemberRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    found = list(_places(request.member, wanted))
    groups = [(group, list(places)) for group, places in groupby(found, key=lambda place: place.group)]
    context = {"wanted": wanted, "groups": groups, "section": ""}
    template = "jump/_results.html" if request.headers.get("X-Palette") else "jump/page.html"
    return render(request, template, context)


def _places(member: Membership, wanted: str) -> Iterator[Place]:
    """Yields all pages and verbs for no words. With some, things come before the pages that list them."""
    if wanted:
        yield from _tools(member, wanted)
        yield from _things(member, wanted)
    for name, words in PAGES:
        if wanted.casefold() in words.casefold():
            yield Place("Pages", name, words, reverse(name))
    for name, words, act in VERBS:
        if wanted.casefold() in words.casefold() and may(member, act):
            yield Place("Do", "new", words, reverse(name))
    if wanted:
        log = f"{reverse('audit:log')}?tool="
        closest = _found_tools(member, wanted)[:2]
        yield from _to_try(member, closest)
        for tool in dict.fromkeys(tool.name for tool in closest):
            yield Place(
                "Do", "audit:log", f"Show calls of {tool} in the live log", log + quote(tool, safe="")
            )


def _to_try(member: Membership, tools: list[Tool]) -> Iterator[Place]:
    """Offers to try each tool under the policy of its server that was edited last."""
    policies = Policy.objects.visible_to(member).filter(server__in={tool.server_id for tool in tools})
    newest = policies.only("id", "name", "server_id").order_by("server_id", "-draft_saved_at")
    of = {policy.server_id: policy for policy in newest.distinct("server_id")}
    for tool in tools:
        if policy := of.get(tool.server_id):
            look = Look().opening(f"/tools/{escape_token(tool.name)}")
            href = reverse("policies:editor", args=[policy.public_id]) + look.query
            yield Place("Do", "new", f"Try a call of {tool.name}", f"{href}#try-panel", policy.name)


def _things(member: Membership, wanted: str) -> Iterator[Place]:
    named = Q(name__icontains=wanted)
    servers = Server.objects.visible_to(member).filter(named, retired_at=None)
    for server in servers.order_by(Length("name"), "name")[:MOST_OF_A_KIND]:
        yield Place("Servers", "server", server.name, reverse("servers:detail", args=[server.public_id]))
    policies = Policy.objects.visible_to(member).filter(named).select_related("server")
    for policy in policies.only("id", "name", "server__name").order_by(Length("name"))[:MOST_OF_A_KIND]:
        href = reverse("policies:editor", args=[policy.public_id])
        yield Place("Policies", "policy", policy.name, href, policy.server.name)
    grants = Grant.objects.visible_to(member).good().filter(label__icontains=wanted).select_related("server")
    for grant in grants.order_by(Length("label"))[:MOST_OF_A_KIND]:
        href = reverse("grants:detail", args=[grant.public_id])
        yield Place("Grants", "grant", grant.label, href, grant.server.name)


def _found_tools(member: Membership, wanted: str) -> list[Tool]:
    """Finds tools whose names contain the words, the closest first: that is the shortest name."""
    tools = Tool.objects.visible_to(member).present().filter(server__retired_at=None, name__icontains=wanted)
    return list(tools.select_related("server").order_by(Length("name"), "name")[:MOST_OF_A_KIND])


def _tools(member: Membership, wanted: str) -> Iterator[Place]:
    tools = _found_tools(member, wanted)
    effects = _effects(member, tools)
    for tool in tools:
        href = reverse("servers:tool", args=[tool.server.public_id, tool.pk])
        yield Place("Tools", "tool", tool.name, href, tool.server.name, True, effects.get(tool))


def _effects(member: Membership, tools: list[Tool]) -> dict[Tool, Effect]:
    by_server: dict[UUID, list[Tool]] = defaultdict(list)
    for tool in tools:
        by_server[tool.server_id].append(tool)
    wanted = {pk: [(tool.name, tool.digest) for tool in mine] for pk, mine in by_server.items()}
    return {
        tool: effect
        for pk, found in furthest(member, wanted).items()
        for tool, effect in zip(by_server[pk], found, strict=True)
    }
