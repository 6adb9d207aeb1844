"""Numbered revisions that never change: look at one, compare two, or restore one as a new revision."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from common.errors import Stale
from common.near import MOST_LOOKED_AT, near_miss
from policies.beside import beside
from policies.forms import CompareForm
from policies.language.problems import PolicyInvalid
from policies.models import Policy, PolicyRevision
from policies.outlook import between, outlook
from policies.services import restore_revision
from policies.textdiff import text_diff
from policies.views._editor_page import crumbs
from policies.views._shared import PER_PAGE, find_policy, find_revision, refusal, typed_version


@require_safe
@member_required
def index(request: MemberRequest, policy_id: str) -> HttpResponse:
    return _history(request, find_policy(request, policy_id), CompareForm())


@require_safe
@member_required
def revision(request: MemberRequest, policy_id: str, number: int) -> HttpResponse:
    """Shows one revision as it was published, and what restoring it would change now."""
    policy = find_policy(request, policy_id)
    return _revision(request, policy, find_revision(request, policy, number))


@require_safe
@member_required
def compare(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    form = CompareForm(request.GET)
    if not form.is_valid():
        return _history(request, policy, form, status=422)
    old, new = (find_revision(request, policy, form.cleaned_data[which]) for which in ("old", "new"))
    context = {
        "title": f"From revision {old.number} to revision {new.number}",
        "lede": f"What changed for agents under {policy.name}, looser first.",
        "policy": policy,
        "old": old,
        "new": new,
        "outlook": between(policy.server, old, new),
        "differences": text_diff(old.text, new.text),
        "crumbs": crumbs(policy, f"Revision {old.number} and {new.number}"),
        "section": "policies",
    }
    return render(request, "policies/compare.html", context)


@require_POST
@member_required
def restore(request: MemberRequest, policy_id: str, number: int) -> HttpResponse:
    policy = find_policy(request, policy_id)
    shown = find_revision(request, policy, number)
    live = policy.published_revision
    require(request.member, May.PUBLISH)
    try:
        # The draft and the revision that it replaces must be the ones the page told of.
        if live is None or request.POST.get("live") != str(live.number):
            raise Stale("Another revision is in force now.")
        restored = restore_revision(request.member, shown, if_version=typed_version(request))
    except PolicyInvalid:
        # A text from when the language had fewer rules may break newer ones; its problems are on the page.
        return _revision(request, policy, shown, status=422)
    except Stale:
        return _revision(request, find_policy(request, policy_id), shown, status=412, stale=True)
    return redirect("policies:live", policy.public_id, restored.number)


def _revision(
    request: MemberRequest, policy: Policy, shown: PolicyRevision, status: int = 200, stale: bool = False
) -> HttpResponse:
    live = policy.published_revision
    in_force = live is not None and live.pk == shown.pk
    context = {
        "title": f"Revision {shown.number} of {policy.name}",
        "lede": "In force now."
        if in_force
        else f"Not in force{f'; revision {live.number} is' if live else ''}.",
        "policy": policy,
        "revision": shown,
        "live": live,
        "stale": stale,
        "draft_differs": live is not None and live.text != policy.draft,
        "outlook": outlook(policy.server, shown.text, live, beside=beside(policy)),
        "refusal": refusal(request, May.PUBLISH),
        "crumbs": crumbs(policy, f"Revision {shown.number}"),
        "section": "policies",
    }
    return render(request, "policies/revision.html", context, status=status)


def _history(request: MemberRequest, policy: Policy, form: CompareForm, status: int = 200) -> HttpResponse:
    mine = PolicyRevision.objects.visible_to(request.member).filter(policy=policy)
    everything = mine.defer("text", "document", "classes").order_by("-number")
    wanted = request.GET.get("q", "").strip().replace("\x00", "")
    page = Paginator(_like(everything, wanted), PER_PAGE).get_page(request.GET.get("page"))
    count = everything.count() if wanted else page.paginator.count
    context = {
        "title": f"{count} revision{'' if count == 1 else 's'} of {policy.name}",
        "total": count,
        "wanted": wanted,
        "instead": "" if page.paginator.count else near_miss(wanted, _names(everything)),
        "policy": policy,
        "live": policy.published_revision,
        "page": page,
        "form": form,
        "crumbs": crumbs(policy, "History"),
        "section": "policies",
    }
    return render(request, "policies/history.html", context, status=status)


def _like(revisions: QuerySet[PolicyRevision], wanted: str) -> QuerySet[PolicyRevision]:
    """Finds revisions by their note, by who published them, or by their number."""
    if not wanted:
        return revisions
    named = Q(note__icontains=wanted) | Q(published_by_email__icontains=wanted)
    number = wanted.lower().removeprefix("revision").strip()
    if number.isascii() and number.isdigit() and len(number) < 10:
        named |= Q(number=int(number))
    return revisions.filter(named)


def _names(revisions: QuerySet[PolicyRevision]) -> list[str]:
    found = revisions.values_list("note", "published_by_email")[:MOST_LOOKED_AT]
    return [name for names in found for name in names]
