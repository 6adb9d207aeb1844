"""Issuing a grant.

The token appears in the response to the POST and nowhere else: in no URL, no session, no cache. The form
carries the signed id of the grant it will issue, so sending it again issues nothing and shows nothing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core import signing
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.middleware import MemberRequest
from accounts.permissions import May, require
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput, LimitReached
from common.ids import new_uuid
from common.refusals import say_in_form
from policies.forms import IssueForm, RotateForm, members_of, policies_of
from policies.models import Grant
from policies.services import issue_grant, rotate_grant
from policies.snippets import snippets
from policies.views._shared import find_grant, find_server, server_to_choose
from policies.views.grants import what_it_may
from servers.models import Server
from servers.services import gateway_url

_SALT = "policies.issue"
_GOOD_FOR = 86_400


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def issue(request: MemberRequest) -> HttpResponse:
    require(request.member, May.ISSUE_GRANTS)
    if request.method == "POST":
        answer = _issue(request, find_server(request, request.POST.get("server", "")))
        answer["Cache-Control"] = "no-store"
        return answer
    if named := request.GET.get("server"):
        return _page(request, find_server(request, named))
    offered = server_to_choose(request)
    if isinstance(offered, Server):
        return _page(request, offered)
    crumbs = [("Grants", reverse("grants:list")), ("Issue", "")]
    return render(request, "grants/choose_server.html", {**offered, "section": "grants", "crumbs": crumbs})


def _issue(request: MemberRequest, server: Server) -> HttpResponse:
    members = members_of(request.member)
    form = IssueForm(request.POST, policies=policies_of(request.member, server), members=members)
    if not form.is_valid():
        return _page(request, server, form)
    pk = _grant_to_be(request, form.cleaned_data["once"])
    if pk is None:
        form.add_error(None, "This form was open too long. It has been renewed: send it again.")
        return _page(request, server, form)
    label, policy = form.cleaned_data["label"], form.cleaned_data["policy"]
    try:
        holder = form.cleaned_data["holder"]
        grant, token = issue_grant(
            request.member, server, policy, label, form.expires_at(), holder=holder, pk=pk
        )
    except (InvalidInput, LimitReached) as refused:
        return _page(request, server, form, status=say_in_form(form, refused))
    except Conflict:
        return _issued_already(request, server, pk)
    shown = _shown_once(grant, token)
    title = f"{grant.label} can call {server.name} now" if shown["callable"] else f"{grant.label} is issued"
    crumbs = [("Grants", reverse("grants:list")), (grant.label, "")]
    context = {"title": title, "lede": _lede(grant), "crumbs": crumbs, **shown}
    return render(request, "grants/issued.html", context)


@require_POST
@member_required
def rotate(request: MemberRequest, grant_id: str) -> HttpResponse:
    """`hint` says which token is meant: a form sent a second time rotates nothing and ends nobody's token."""
    grant = find_grant(request, grant_id)
    require(request.member, May.ISSUE_GRANTS)
    form = RotateForm(request.POST)
    if not form.is_valid():
        raise InvalidInput({"overlap": "Choose how long the current token keeps working."})
    said = form.cleaned_data
    grant, token = rotate_grant(request.member, grant, int(said["overlap"]), hint=said["hint"])
    context = {
        "title": f"{grant.label} has a new token",
        "lede": f"The previous one stops working on {grant.earlier_until:%-d %b %Y, %H:%M} UTC."
        if grant.earlier_until
        else "The previous one no longer works.",
        "crumbs": [("Grants", reverse("grants:list")), (grant.label, "")],
    }
    answer = render(request, "grants/issued.html", context | _shown_once(grant, token))
    answer["Cache-Control"] = "no-store"
    return answer


def _shown_once(grant: Grant, token: str) -> dict[str, Any]:
    url = gateway_url(grant.server)
    return {
        "grant": grant,
        "token": token,
        "gateway_url": url,
        "snippets": snippets(grant.server.name, url, token),
        **what_it_may(grant),
        "section": "grants",
    }


def _lede(grant: Grant) -> str:
    revision = grant.policy.published_revision if grant.policy else None
    until = f"until {grant.expires_at:%-d %b %Y}" if grant.expires_at else "until it is revoked"
    if grant.policy is None or revision is None:
        return f"Every call is denied until a policy is in force. The grant is valid {until}."
    return f"Under the policy {grant.policy.name}, revision {revision.number}, {until}."


def _issued_already(request: MemberRequest, server: Server, pk: UUID) -> HttpResponse:
    context = {
        "grant": Grant.objects.visible_to(request.member).filter(pk=pk).first(),
        "server": server,
        "crumbs": [("Grants", reverse("grants:list")), ("Issued already", "")],
        "section": "grants",
    }
    return render(request, "grants/issued_already.html", context, status=409)


def _page(
    request: MemberRequest, server: Server, form: IssueForm | None = None, status: int = 422
) -> HttpResponse:
    choices, members = policies_of(request.member, server), members_of(request.member)
    if form is None:
        # The likeliest choice: the only policy in force.
        published = [policy for policy in choices if policy.published_revision_id]
        chosen = published[0].pk if len(published) == 1 else request.GET.get("policy", "")
        initial = {"policy": chosen, "expiry": "90", "holder": request.member.pk}
        form = IssueForm(policies=choices, members=members, initial=initial)
        status = 200
    context = {
        "title": f"Let an agent call {server.name}",
        "server": server,
        "form": form,
        "once": _sign(request),
        "policies": choices,
        "several": members.count() > 1,
        "crumbs": [("Grants", reverse("grants:list")), ("Issue", "")],
        "section": "grants",
    }
    return render(request, "grants/issue.html", context, status=status)


def _sign(request: MemberRequest) -> str:
    return signing.dumps([str(request.member.pk), str(new_uuid())], salt=_SALT)


def _grant_to_be(request: MemberRequest, once: str) -> UUID | None:
    try:
        member, pk = signing.loads(once, salt=_SALT, max_age=_GOOD_FOR)
    except signing.BadSignature:
        return None
    return UUID(pk) if member == str(request.member.pk) else None
