"""From a draft to a revision in force: what changes, the note, and the workers as they apply it."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.permissions import May, may, require
from accounts.views.members import member_required
from common.errors import Conflict
from common.templatetags._text import visible_plain
from policies.beside import beside
from policies.forms import PublishForm
from policies.language.problems import PolicyInvalid
from policies.models import Grant, Policy, PolicyRevision
from policies.outlook import Outlook, outlook
from policies.services import publish_policy
from policies.textdiff import text_diff
from policies.views._editor_page import crumbs
from policies.views._shared import find_policy, find_revision, reads_each_text_once, refusal, typed_version

MOST_NAMED = 5


@require_safe
@member_required
@reads_each_text_once
def review(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    seen = _seen(policy)
    form = PublishForm(initial={"version": policy.version}, opened=_opened(seen))
    return _page(request, policy, seen, form)


@require_POST
@member_required
@reads_each_text_once
def publish(request: MemberRequest, policy_id: str) -> HttpResponse:
    policy = find_policy(request, policy_id)
    require(request.member, May.PUBLISH)
    if typed_version(request) != policy.version:
        return _changed_meanwhile(request, policy)
    seen = _seen(policy)
    form = PublishForm(request.POST, opened=_opened(seen))
    if seen.errors or not form.is_valid():
        return _page(request, policy, seen, form, status=422)
    note = form.cleaned_data["note"]
    try:
        revision = publish_policy(request.member, policy, note=note, if_version=policy.version)
    except PolicyInvalid:
        return _page(request, policy, seen, form, status=422)
    except Conflict:
        return _changed_meanwhile(request, policy)
    return redirect("policies:live", policy.public_id, revision.number)


@require_safe
@member_required
def live(request: MemberRequest, policy_id: str, number: int) -> HttpResponse:
    policy = find_policy(request, policy_id)
    earlier = policy.revisions.filter(number__lt=number).order_by("-number")
    context = {
        "title": f"Revision {number} of {policy.name} is published",
        "lede": "Every gateway worker takes it up by itself; agents meet it from their next call.",
        "policy": policy,
        "revision": find_revision(request, policy, number),
        "previous": earlier.values_list("number", flat=True).first(),
        "may_publish": may(request.member, May.PUBLISH),
        "refusal": refusal(request, May.ISSUE_GRANTS),
        "grants": policy.grants.good().order_by("label")[:6],
        "crumbs": crumbs(policy, f"Revision {number}"),
        "section": "policies",
    }
    return render(request, "policies/live.html", context)


@require_safe
@member_required
def rollout(request: MemberRequest, policy_id: str, number: int) -> HttpResponse:
    """Renders the part of the live page that polls until the revision is in force."""
    policy = find_policy(request, policy_id)
    context = {"policy": policy, "revision": find_revision(request, policy, number)}
    return render(request, "policies/_rollout_answer.html", context)


def _seen(policy: Policy) -> Outlook:
    live = policy.published_revision
    return outlook(policy.server, policy.draft, live, beside=beside(policy))


def _opened(seen: Outlook) -> list[str]:
    return [row.tool.name for row in seen.critical_opened]


def _changed_meanwhile(request: MemberRequest, policy: Policy) -> HttpResponse:
    """What was reviewed is not what would be published: shows the newest draft and keeps the note."""
    policy.refresh_from_db()
    if policy.server.retired_at is not None:
        raise Conflict(f"{policy.server.name} is retired; nothing can be published for it.")
    seen = _seen(policy)
    kept = {"version": policy.version, "note": request.POST.get("note", "")}
    return _page(request, policy, seen, PublishForm(initial=kept, opened=_opened(seen)), 412, stale=True)


def _page(
    request: MemberRequest,
    policy: Policy,
    seen: Outlook,
    form: PublishForm,
    status: int = 200,
    stale: bool = False,
) -> HttpResponse:
    current = policy.published_revision
    grants = list(policy.grants.good().order_by("label"))
    number = _next_number(policy)
    context = {
        "title": f"Publish revision {number} of {policy.name}",
        "lede": _replaces(policy, current, grants),
        "problems": _problems(seen),
        "in_the_way": _in_the_way(seen),
        "note_hint": f"Everyone in {request.member.organization.name} can read it.",
        "policy": policy,
        "live": current,
        "same": current is not None and current.text == policy.draft,
        "next": number,
        "outlook": seen,
        "form": form,
        "grants": grants,
        "differences": text_diff(current.text if current else "", policy.draft),
        "stale": stale,
        "refusal": refusal(request, May.PUBLISH),
        "crumbs": crumbs(policy, "Review"),
        "section": "policies",
    }
    return render(request, "policies/review.html", context, status=status)


def _replaces(policy: Policy, current: PolicyRevision | None, grants: Sequence[Grant]) -> str:
    if current is None:
        return "The first revision. Until it is published, every call under this policy is denied."
    if current.text == policy.draft:
        return f"The draft is revision {current.number}, which is in force: there is nothing to publish."
    if not grants:
        return f"It replaces revision {current.number}. No grant is under it yet."
    named = [visible_plain(grant.label) for grant in grants[:MOST_NAMED]]
    more = [f"{len(grants) - MOST_NAMED} more"] if len(grants) > MOST_NAMED else []
    many = f"{len(grants)} grant{'s' if len(grants) > 1 else ''}"
    return f"It replaces revision {current.number} for {many}: {', '.join(named + more)}."


def _problems(seen: Outlook) -> int:
    return len(seen.errors) - len(seen.failed)


def _in_the_way(seen: Outlook) -> str:
    """Why it cannot be published, in a few words; empty when it can."""
    tests, problems = len(seen.failed), _problems(seen)
    said = [f"{problems} problem{'s' if problems > 1 else ''}"] if problems else []
    said += [f"{tests} failing test{'s' if tests > 1 else ''}"] if tests else []
    return " and ".join(said)


def _next_number(policy: Policy) -> int:
    newest = policy.revisions.order_by("-number").values_list("number", flat=True).first()
    return (newest or 0) + 1
