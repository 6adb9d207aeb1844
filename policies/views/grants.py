"""Who can call: all grants, and one grant, which can be moved or revoked."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May
from accounts.views.members import member_required
from common.near import MOST_LOOKED_AT, near_miss
from policies.calls import calls_today
from policies.forms import MoveForm, RotateForm, policies_of
from policies.language.effects import effects
from policies.language.glance import value_of
from policies.models import Grant
from policies.outlook import in_force, tools_of
from policies.services import move_grant, revoke_grant
from policies.views._shared import PER_PAGE, find_grant, refusal
from servers.models import Server
from servers.services import gateway_url

_SHOWN: Final = (
    *("label", "hint", "expires_at", "revoked_at", "last_used_at"),
    *("server__name", "server__retired_at", "policy__name", "policy__published_revision"),
)


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip().replace("\x00", "")
    everything = grants = _grants(request)
    total = grants.count()
    if wanted:
        named = Q(label__icontains=wanted) | Q(policy__name__icontains=wanted)
        grants = grants.filter(named | Q(server__name__icontains=wanted))
    active = Grant.objects.visible_to(request.member).good().count()
    page = Paginator(grants, PER_PAGE).get_page(request.GET.get("page"))
    found = list(page.object_list)
    today = calls_today(request.member, [grant.pk for grant in found])
    context = {
        "title": _title(total, active),
        "page": page,
        "rows": [(grant, today.get(grant.pk, 0)) for grant in found],
        "total": total,
        "wanted": wanted,
        "instead": "" if page.paginator.count else near_miss(wanted, _names(everything)),
        "servers": _servers(request),
        "refusal": refusal(request, May.ISSUE_GRANTS),
        "section": "grants",
    }
    return render(request, "grants/list.html", context)


def _servers(request: MemberRequest) -> QuerySet[Server, str]:
    """Returns the names of the servers for which grants can be issued."""
    there = Server.objects.visible_to(request.member).filter(retired_at=None)
    return there.order_by("name").values_list("name", flat=True)


def _names(grants: QuerySet[Grant]) -> list[str]:
    found = grants.values_list("label", "policy__name", "server__name")[:MOST_LOOKED_AT]
    return [name for names in found for name in names if name]


@require_safe
@member_required
def detail(request: MemberRequest, grant_id: str) -> HttpResponse:
    return _page(request, find_grant(request, grant_id))


@require_POST
@member_required
def move(request: MemberRequest, grant_id: str) -> HttpResponse:
    grant = find_grant(request, grant_id)
    form = MoveForm(request.POST, policies=policies_of(request.member, grant.server))
    if not form.is_valid():
        return _page(request, grant, form)
    moved = move_grant(request.member, grant, form.cleaned_data["policy"])
    policy = moved.policy.name if moved.policy else "no policy"
    messages.success(request, f"{moved.label} is under {policy} now.")
    return redirect("grants:detail", moved.public_id)


@require_POST
@member_required
def revoke(request: MemberRequest, grant_id: str) -> HttpResponse:
    grant = revoke_grant(request.member, find_grant(request, grant_id))
    messages.success(request, f"{grant.label} is revoked. Its token no longer opens anything.")
    return redirect("grants:detail", grant.public_id)


@require_safe
@member_required
def first_call(request: MemberRequest, grant_id: str) -> HttpResponse:
    """Renders the part of the page that polls until the grant has been used."""
    return render(request, "grants/_first_call_answer.html", {"grant": find_grant(request, grant_id)})


def _title(total: int, active: int) -> str:
    if not total:
        return "No agent can reach a server yet"
    return f"{f'{active:,}' if active else 'No'} active grant{'' if active == 1 else 's'} of {total:,}"


def what_it_may(grant: Grant) -> dict[str, Any]:
    """Returns what gateways do now with each tool under the grant, with counts, for the grant's pages."""
    revision = grant.policy.published_revision if grant.policy else None
    tools = tools_of(grant.server)
    compiled = in_force(revision, tools)
    judged = effects(compiled, [tool.name for tool in tools])
    return {
        "revision": revision,
        "counts": Counter(str(effect) for effect in judged.values()),
        "tools": [
            (
                tool,
                str(judged[tool.name]),
                value_of(compiled, tool.name, judged[tool.name]) if compiled else "",
            )
            for tool in tools
        ],
        "callable": sum(str(effect) not in ("denied", "hidden") for effect in judged.values()),
    }


def _state_sentence(grant: Grant, reach: int) -> str:
    match grant.state:
        case "revoked":
            return f"{grant.label} is revoked"
        case "expired":
            return f"{grant.label} has expired"
        case _ if grant.server.retired_at is not None:
            return f"{grant.label} can call nothing: {grant.server.name} is retired"
        case _:
            tools = f"{reach} tool{'' if reach == 1 else 's'}" if reach else "nothing"
            return f"{grant.label} can call {tools} of {grant.server.name}"


def _page(request: MemberRequest, grant: Grant, form: MoveForm | None = None) -> HttpResponse:
    choices = policies_of(request.member, grant.server)
    may = what_it_may(grant)
    context = {
        "title": _state_sentence(grant, may["callable"]),
        "grant": grant,
        "gateway_url": gateway_url(grant.server),
        "today": calls_today(request.member, [grant.pk]).get(grant.pk, 0),
        "rotate_form": RotateForm(initial={"hint": grant.hint, "overlap": "3600"}),
        "form": form or MoveForm(policies=choices, initial={"policy": grant.policy_id}),
        **may,
        "refusal": refusal(request, May.ISSUE_GRANTS),
        "refusal_to_move": refusal(request, May.MOVE_GRANTS),
        "crumbs": [("Grants", reverse("grants:list")), (grant.label, "")],
        "section": "grants",
    }
    return render(request, "grants/detail.html", context, status=422 if form is not None else 200)


def _grants(request: MemberRequest) -> QuerySet[Grant]:
    ended = Q(server__retired_at__isnull=False) | Q(expires_at__lte=timezone.now())
    order = Case(
        When(Q(revoked_at__isnull=False) | ended, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    return (
        Grant.objects.visible_to(request.member)
        .select_related("server", "policy")
        .only(*_SHOWN)
        .annotate(ended=order)
        .order_by("ended", "-issued_at")
    )
