"""Calls by outcome over time, what is denied most, what we add to each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db.models import F
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
from common.ids import public_id
from policies.models import Grant, Policy, PolicyRevision
from policies.models.policy import OPEN_BY_DEFAULT
from servers.models import Server

ROWS = 6
MOST_GRANTS = 50
EACH = 3
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


@dataclass(frozen=True, slots=True)
class Busy:
    """A grant and how often it called."""

    public_id: str
    label: str
    server: str
    calls: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Something to look at: a server, a grant or a policy by its name; a policy with its server's."""

    kind: str
    public_id: str
    name: str
    server: str = ""
    at: datetime | None = None


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


def _grants(member: Asker, period: Period) -> list[Busy]:
    """Of those used last the busiest first."""
    good = Grant.objects.visible_to(member).good().order_by(F("last_used_at").desc(nulls_last=True), "pk")
    named = {
        pk: (label, server)
        for pk, label, server in good.values_list("pk", "label", "server__name")[:MOST_GRANTS]
    }
    calls = calls_by_grant(member, named, period)
    busiest = sorted(named, key=lambda pk: -calls.get(pk, 0))[:ROWS]
    return [Busy(public_id("grt", pk), *named[pk], calls.get(pk, 0)) for pk in busiest]


def _waiting(member: Asker) -> list[Waits]:
    """What somebody should look at, each with the place to do it."""
    failing = Server.objects.visible_to(member).filter(status=Server.Status.FAILING, retired_at=None)
    good, soon = Grant.objects.visible_to(member).good(), timezone.now() + timedelta(days=7)
    bare = good.filter(policy__published_revision=None).order_by("label")
    ending = good.filter(expires_at__lt=soon).order_by("expires_at")
    return [
        *(
            Waits("server", public_id("srv", pk), name)
            for pk, name in failing.order_by("name").values_list("pk", "name")[:EACH]
        ),
        *(Waits("bare", public_id("grt", pk), label) for pk, label in bare.values_list("pk", "label")[:EACH]),
        *_letting_through(member),
        *(
            Waits("expires", public_id("grt", pk), label, at=at)
            for pk, label, at in ending.values_list("pk", "label", "expires_at")[:EACH]
        ),
    ]


def _letting_through(member: Asker) -> list[Waits]:
    """Policies in use whose revision in force allows what no rule names."""
    # Hardly anybody has any: an index says so at once.
    if not PolicyRevision.objects.visible_to(member).filter(document__regex=OPEN_BY_DEFAULT).exists():
        return []
    used = Grant.objects.visible_to(member).good().values("policy")
    found = Policy.objects.visible_to(member).filter(pk__in=used).order_by("name")
    found = found.filter(published_revision__document__regex=OPEN_BY_DEFAULT)
    return [
        Waits("open", public_id("pol", pk), name, server)
        for pk, name, server in found.values_list("pk", "name", "server__name")[:EACH]
    ]


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
