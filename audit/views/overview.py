"""The overview: calls by outcome over time, what is stopped most, the latency we add, what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, DateTimeField, F, QuerySet, Value, Window
from django.db.models.functions import Cast
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.tenancy import Asker
from accounts.views.members import member_required
from audit.busiest import Busy, shared_among
from audit.figures import calls_by_grant, tops
from audit.periods import Period
from audit.pictures import SPANS, chosen, links, pictures
from audit.progress import progress_of
from audit.queries import last_call
from audit.stops import last_reasons
from audit.views.onboarding import next_step
from common.ids import public_id
from common.spelt_once import spelt_once
from policies.models import Grant, Policy, PolicyRevision
from policies.models.policy import OPEN_BY_DEFAULT
from servers.models import Server

ROWS = 6
MOST_GRANTS = 50
EACH = 3
_IN_ALL: Final = Window(Count("pk"))
_STEPS: Final = ("Server", "Policy", "Grant", "First call")


@dataclass(frozen=True, slots=True)
class Waits:
    """Something that needs a look: a server, grant or policy by its name; a policy with its server's name.

    `more`: after the last of its kind, how many others there are.
    """

    kind: str
    public_id: str
    name: str
    server: str = ""
    at: datetime | None = None
    more: int = 0


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    member = request.member
    if not _any_server(member) and request.GET.get("stay") is None:
        return redirect("onboarding")
    key, span = chosen(SPANS, request.GET.get("span"))
    period = Period.until_now(span.length, span.unit)
    most, shown = tops(member, period, ROWS), pictures(member, span, period)
    context = {
        **({} if shown.calls.table else _without_calls(member)),
        "spans": links(SPANS, key),
        "calls": shown.calls,
        "latency": shown.latency,
        "lines": shown.added,
        "held": shared_among(most.held, last_reasons(member, [one.name for one in most.held], period.since)),
        "called": shared_among(most.called),
        "grants": _grants(member, period),
        "waiting": _waiting(member),
        "section": "overview",
    }
    return render(request, "audit/overview.html", context)


def _without_calls(member: Membership) -> dict[str, object]:
    """Return what to show instead of figures: when the last call was, or the steps to the first one."""
    last = last_call(member)
    if last is None:
        progress = progress_of(member)
        steps = [{"name": name, "state": state} for name, state in zip(_STEPS, progress.states, strict=True)]
        return {"beginning": True, "steps": steps, **next_step(member, progress)}
    ago = timezone.now() - last.at
    return {"last": last, "longer": next((key for key, span in SPANS.items() if ago < span.length), None)}


@spelt_once
def _any_server(member: Asker) -> QuerySet[Server, tuple[UUID]]:
    return Server.objects.visible_to(member).order_by().values_list("pk")[:1]


def _grants(member: Asker, period: Period) -> list[Busy]:
    """Return the busiest among the most recently used grants, busiest first."""
    named = {pk: (label, server) for pk, label, server in _used_last(member, timezone.now())}
    calls = calls_by_grant(member, named, period)
    busiest = sorted(named, key=lambda pk: -calls.get(pk, 0))[:ROWS]
    return [Busy(public_id("grt", pk), *named[pk], calls.get(pk, 0)) for pk in busiest]


@spelt_once
def _used_last(member: Asker, now: datetime) -> QuerySet[Grant, tuple[UUID, str, str]]:
    good = Grant.objects.visible_to(member).good(now)
    used_last = good.order_by(F("last_used_at").desc(nulls_last=True), "pk")
    return used_last.values_list("pk", "label", "server__name")[:MOST_GRANTS]


def _waiting(member: Asker) -> list[Waits]:
    """Return what someone should look at, each with where to do so."""
    now = timezone.now()
    found: dict[str, list[Waits]] = {kind: [] for kind in _PREFIXES}
    for kind, pk, name, at, total in _worth_a_look(member, now, now + timedelta(days=7)):
        more = total - EACH if len(found[kind]) == EACH - 1 else 0
        found[kind].append(Waits(kind, public_id(_PREFIXES[kind], pk), name, at=at, more=more))
    found["open"] = _letting_through(member)
    return [each for kind in found.values() for each in kind]


# In the order in which they are shown.
_PREFIXES: Final = {"server": "srv", "bare": "grt", "open": "pol", "expires": "grt"}


@spelt_once
def _worth_a_look(
    member: Asker, now: datetime, soon: datetime
) -> QuerySet[Any, tuple[str, UUID, str, datetime | None, int]]:
    failing = Server.objects.visible_to(member).filter(status=Server.Status.FAILING, retired_at=None)
    good = Grant.objects.visible_to(member).good(now)
    bare = good.filter(policy__published_revision=None).order_by("label")
    ending = good.filter(expires_at__lt=soon).order_by("expires_at")
    never = Cast(Value(None), DateTimeField())
    return _told("server", failing.order_by("name"), F("name"), never).union(
        _told("bare", bare, F("label"), never),
        _told("expires", ending, F("label"), F("expires_at")),
        all=True,
    )


def _told(kind: str, rows: QuerySet[Any], name: F, at: F | Cast) -> QuerySet[Any, Any]:
    found: QuerySet[Any, Any] = rows.annotate(
        kind=Value(kind), which=F("pk"), said=name, at=at, total=_IN_ALL
    )
    return found.values_list("kind", "which", "said", "at", "total")[:EACH]


def _letting_through(member: Asker) -> list[Waits]:
    """Return policies in use whose published revision allows tools that no rule names."""
    # Hardly any organization has one, and an index tells that at once.
    if not _any_open(member):
        return []
    used = Grant.objects.visible_to(member).good().values("policy")
    found = Policy.objects.visible_to(member).filter(pk__in=used).order_by("name")
    found = found.filter(published_revision__document__regex=OPEN_BY_DEFAULT)
    shown = found.annotate(total=_IN_ALL).values_list("pk", "name", "server__name", "total")[:EACH]
    return [
        Waits("open", public_id("pol", pk), name, server, more=total - EACH if number == EACH else 0)
        for number, (pk, name, server, total) in enumerate(shown, 1)
    ]


@spelt_once
def _any_open(member: Asker) -> QuerySet[PolicyRevision, tuple[UUID]]:
    return (
        PolicyRevision.objects.visible_to(member)
        .filter(document__regex=OPEN_BY_DEFAULT)
        .order_by()
        .values_list("pk")[:1]
    )
