"""Every policy of the organization, by server."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.db.models.fields import CharField
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May
from accounts.views.members import member_required
from common.near import MOST_LOOKED_AT, near_miss
from policies.models import Policy
from policies.views._shared import PER_PAGE, refusal
from servers.models import Server


@require_safe
@member_required
def index(request: MemberRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip().replace("\x00", "")
    everything = policies = _policies(request)
    total = policies.count()
    in_force = policies.exclude(published_revision=None).count()
    if wanted:
        policies = policies.filter(Q(name__icontains=wanted) | Q(server__name__icontains=wanted))
    page = Paginator(policies, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": _title(total, in_force),
        "page": page,
        "total": total,
        "wanted": wanted,
        "instead": "" if page.paginator.count else near_miss(wanted, _names(everything)),
        "has_servers": bool(total) or _servers(request).exists(),
        "refusal": refusal(request, May.EDIT_POLICIES),
        "section": "policies",
    }
    return render(request, "policies/list.html", context)


def _names(policies: QuerySet[Policy]) -> list[str]:
    found = policies.values_list("name", "server__name")[:MOST_LOOKED_AT]
    return [name for names in found for name in names]


def _title(total: int, in_force: int) -> str:
    if not total:
        return "No policies yet"
    return f"{total} {'policy' if total == 1 else 'policies'}, {in_force or 'none'} in force"


def _policies(request: MemberRequest) -> QuerySet[Policy]:
    alive = Q(grants__expires_at=None) | Q(grants__expires_at__gt=timezone.now())
    # Drafts may be long and many: the database compares each with what is in force.
    draft_state = Case(
        When(published_revision=None, then=Value("first")),
        When(draft=F("published_revision__text"), then=Value("")),
        default=Value("changed"),
        output_field=CharField(),
    )
    return (
        Policy.objects.visible_to(request.member)
        .filter(server__retired_at=None)
        .select_related("server", "published_revision")
        .defer("draft", "published_revision__text", "published_revision__document")
        .defer("published_revision__classes")
        .annotate(
            draft_state=draft_state,
            grant_count=Count("grants", filter=Q(grants__revoked_at=None) & alive),
        )
        .order_by("server__name", "name")
    )


def _servers(request: MemberRequest) -> QuerySet[Server]:
    return Server.objects.visible_to(request.member).filter(retired_at=None)
