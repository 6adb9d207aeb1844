"""The page of first steps: four of them, each ticked once it has really happened."""

from __future__ import annotations

import json
from collections import Counter

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.permissions import May, may
from accounts.views.members import member_required
from audit.progress import Progress, progress_of
from policies.models import Policy
from policies.services import judge, tool_facts

_URL = f"{settings.PUBLIC_URL}/api/v1/"
_KEY = '-H "Authorization: Bearer plk_…"'
_JSON = '-H "Content-Type: application/json"'


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    progress = progress_of(request.member)
    beside = {"effects": _effects(progress.policy), "curl": _curl(progress), "section": "onboarding"}
    return render(request, "audit/onboarding.html", {**next_step(request.member, progress), **beside})


@require_safe
@member_required
def steps(request: MemberRequest) -> HttpResponse:
    """Render the list only: the page asks for it again until the first call has been seen."""
    return render(request, "audit/_steps.html", next_step(request.member, progress_of(request.member)))


def next_step(member: Membership, progress: Progress) -> dict[str, object]:
    """Return the context of any page that shows the next step: it offers it only to those who may do it."""
    return {
        "progress": progress,
        "states": progress.states,
        "may_manage": may(member, May.MANAGE_SERVERS),
        "may_edit": may(member, May.EDIT_POLICIES),
        "may_issue": may(member, May.ISSUE_GRANTS),
    }


def _effects(policy: Policy | None) -> dict[str, int]:
    if policy is None or policy.published_revision is None:
        return {}
    found = judge(policy.published_revision.document, tool_facts(policy.server)).effects
    return dict(Counter(str(effect) for effect in found.values()))


def _curl(progress: Progress) -> str:
    """Return the curl command that does the next step over the API."""
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
