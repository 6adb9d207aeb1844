"""Calls by outcome over time, what is denied most, what we add to each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.tenancy import Asker
from accounts.views.members import member_required
from audit.chart import STACK
from audit.figures import Counted, calls_by_grant, tops
from audit.periods import Period
from audit.pictures import SPANS, chosen, links, pictures
from audit.stops import last_reasons
from policies.models import Grant, Policy
from policies.models.policy import OPEN_BY_DEFAULT
from servers.models import Server

ROWS = 6
MOST_GRANTS = 50
KEYS = {name: key for name, key, _ in STACK}
WORDS = [(name, words) for name, _, words in STACK]


@dataclass(frozen=True, slots=True)
class Part:
    """Calls of one outcome. `reason`: what was said to the last of them; empty where that is long ago."""

    calls: int
    words: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """One of the most called or most stopped: as long as its share of `most`, coloured by what is most."""

    tool: Counted
    most: int
    key: str
    parts: list[Part]


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    member = request.member
    if not Server.objects.visible_to(member).exists() and request.GET.get("stay") is None:
        return redirect("onboarding")
    key, span = chosen(SPANS, request.GET.get("span"))
    period = Period.until_now(span.length, span.unit)
    most, shown = tops(member, period, ROWS), pictures(member, span, period)
    context = {
        "spans": links(SPANS, key),
        "calls": shown.calls,
        "latency": shown.latency,
        "lines": shown.added,
        "held": _shared(most.held, last_reasons(member, [one.name for one in most.held], period.since)),
        "called": _shared(most.called),
        "grants": _grants(member, period),
        "waiting": _waiting(member),
        "section": "overview",
    }
    return render(request, "audit/overview.html", context)


def _grants(member: Asker, period: Period) -> list[tuple[Grant, int]]:
    """The busiest first."""
    good = Grant.objects.visible_to(member).good()
    calls = dict.fromkeys(good.values_list("pk", flat=True)[:MOST_GRANTS], 0)
    calls |= calls_by_grant(member, calls, period)
    busiest = sorted(calls, key=lambda pk: -calls[pk])[:ROWS]
    found = Grant.objects.visible_to(member).select_related("server").in_bulk(busiest)
    return [(found[pk], calls[pk]) for pk in busiest if pk in found]


def _waiting(member: Asker) -> list[dict[str, Any]]:
    """What somebody should look at, each with the place to do it."""
    failing = Server.objects.visible_to(member).filter(status=Server.Status.FAILING, retired_at=None)
    soon = timezone.now() + timedelta(days=7)
    good = Grant.objects.visible_to(member).good()
    return [
        *({"kind": "server", "server": server} for server in failing.order_by("name")[:3]),
        *(
            {"kind": "bare", "grant": grant}
            for grant in good.filter(policy__published_revision=None).order_by("label")[:3]
        ),
        *({"kind": "open", "policy": policy} for policy in _letting_through(member)[:3]),
        *(
            {"kind": "expires", "grant": grant}
            for grant in good.filter(expires_at__lt=soon).order_by("expires_at")[:3]
        ),
    ]


def _letting_through(member: Asker) -> QuerySet[Policy]:
    """Policies in use whose revision in force allows what no rule names."""
    used = Grant.objects.visible_to(member).good().values("policy")
    found = Policy.objects.visible_to(member).filter(pk__in=used).select_related("server").order_by("name")
    return found.filter(published_revision__document__regex=OPEN_BY_DEFAULT)


def _shared(
    counted: list[Counted], reasons: Mapping[tuple[str, str], str] = MappingProxyType({})
) -> list[Shared]:
    most = max((one.count for one in counted), default=1)
    return [
        Shared(
            one,
            most,
            KEYS[one.mostly],
            [
                Part(one.outcomes[name], words, reasons.get((one.name, name), ""))
                for name, words in WORDS
                if name in one.outcomes
            ],
        )
        for one in counted
    ]
