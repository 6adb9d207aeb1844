"""The audit events: what people and their API keys changed, newest first."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.events import KINDS, changes
from accounts.middleware import MemberRequest
from accounts.models import AuditEvent
from accounts.permissions import May, may
from accounts.views.members import member_required
from common.addresses import readable_address

PER_PAGE = 50


@require_safe
@member_required
def events(request: MemberRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip().replace("\x00", "")[:200]
    kind = request.GET.get("kind", "")
    everything = AuditEvent.objects.visible_to(request.member)
    sees_addresses = may(request.member, May.READ_ADDRESSES)
    found = _filtered(everything, wanted, kind, sees_addresses)
    page = Paginator(found.order_by("-at", "-id"), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "total": everything.count() if wanted or kind else page.paginator.count,
        "page": page,
        "changes": changes(list(page)),
        "wanted": wanted,
        "kinds": [(key, words, key == kind) for key, (words, _) in KINDS.items()],
        "sees_addresses": sees_addresses,
        "kept_days": settings.AUDIT_RETENTION_DAYS,
        "kind": kind if kind in KINDS else "",
        "section": "settings",
        "pane": "events",
    }
    return render(request, "settings/events.html", context)


def _filtered(found: QuerySet[AuditEvent], wanted: str, kind: str, by_address: bool) -> QuerySet[AuditEvent]:
    if kind in KINDS:
        found = found.filter(reduce(or_, (Q(verb__startswith=start) for start in KINDS[kind][1])))
    if wanted:
        named = Q(actor_email__icontains=wanted) | Q(subject_name__icontains=wanted)
        named |= Q(subject=wanted) | Q(verb__icontains=wanted)
        if by_address and (address := readable_address(wanted)):
            named |= Q(address=address)
        found = found.filter(named)
    return found
