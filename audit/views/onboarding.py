"""Four steps, each ticked by what really happened."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from accounts.views.members import member_required
from audit.models import DecisionRecord
from audit.queries import first_call
from policies.models import Grant, Policy
from policies.services import judge, tool_facts
from servers.models import Server

_URL = f"{settings.PUBLIC_URL}/api/v1/"
_KEY = '-H "Authorization: Bearer plk_…"'
_JSON = '-H "Content-Type: application/json"'


@dataclass(frozen=True, slots=True)
class Progress:
    """`tried`: the newest server, where none has answered yet."""

    server: Server | None
    tried: Server | None
    classes: list[tuple[str, int]]
    policy: Policy | None
    effects: dict[str, int]
    grant: Grant | None
    call: DecisionRecord | None

    @property
    def done(self) -> int:
        return sum(step is not None for step in (self.server, self.policy, self.grant, self.call))

    @property
    def now(self) -> int:
        """The number of the first step still to do; 5 when all are done."""
        steps = (self.server, self.policy, self.grant, self.call)
        return next((number for number, step in enumerate(steps, 1) if step is None), 5)

    def state(self, number: int) -> str:
        found = (self.server, self.policy, self.grant, self.call)[number - 1]
        return "done" if found is not None else "now" if self.now == number else ""


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    return render(request, "audit/onboarding.html", _context(request))


@require_safe
@member_required
def steps(request: MemberRequest) -> HttpResponse:
    """The list alone: the page asks for it again until the first call was seen."""
    return render(request, "audit/_steps.html", _context(request))


def _context(request: MemberRequest) -> dict[str, object]:
    progress = _progress(request)
    return {
        "progress": progress,
        "states": [progress.state(number) for number in range(1, 5)],
        "may_manage": may(request.member, May.MANAGE_SERVERS),
        "may_edit": may(request.member, May.EDIT_POLICIES),
        "may_issue": may(request.member, May.ISSUE_GRANTS),
        "curl": _curl(progress),
        "section": "onboarding",
    }


def _progress(request: MemberRequest) -> Progress:
    member = request.member
    servers = Server.objects.visible_to(member)
    server = servers.filter(status=Server.Status.READY).order_by("created_at").first()
    policy = (
        Policy.objects.visible_to(member)
        .exclude(published_revision=None)
        .select_related("published_revision", "server")
        .order_by("created_at")
        .first()
    )
    return Progress(
        server=server,
        tried=None if server else servers.filter(retired_at=None).order_by("-created_at").first(),
        classes=_classes(server),
        policy=policy,
        effects=_effects(policy),
        grant=Grant.objects.visible_to(member).good().select_related("server").order_by("issued_at").first(),
        call=first_call(member),
    )


def _classes(server: Server | None) -> list[tuple[str, int]]:
    if server is None:
        return []
    present = server.tools.filter(removed_at=None).order_by("class_rank").values_list("tool_class", flat=True)
    return list(Counter(present).items())


def _effects(policy: Policy | None) -> dict[str, int]:
    if policy is None or policy.published_revision is None:
        return {}
    found = judge(policy.published_revision.document, tool_facts(policy.server)).effects
    return dict(Counter(str(effect) for effect in found.values()))


def _curl(progress: Progress) -> str:
    """The step that is next, over the API."""
    server = progress.server.public_id if progress.server else "srv_…"
    policy = progress.policy.public_id if progress.policy else "pol_…"
    begin = {"version": "1", "default": "deny", "tools": {"list_*": {}}}
    match progress.now:
        case 1:
            return _post("servers", {"name": "Tools", "upstream_url": "https://mcp.example.com/mcp"})
        case 2:
            return _post("policies", {"server": server, "name": "agents", "document": begin})
        case 3:
            return _post("grants", {"server": server, "policy": policy, "label": "laptop"})
        case _:
            return f"curl {_URL}decisions/ \\\n  {_KEY}"


def _post(path: str, body: dict[str, object]) -> str:
    sent = json.dumps(body, ensure_ascii=False)
    return f"curl -X POST {_URL}{path}/ \\\n  {_KEY} \\\n  {_JSON} \\\n  -d '{sent}'"
