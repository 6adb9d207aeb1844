"""The guard in front of every tenant view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from accounts.middleware import MemberRequest
from accounts.views.sign_in import to_sign_in
from common.errors import Conflict

P = ParamSpec("P")
TenantView = Callable[Concatenate[MemberRequest, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def member_required(view: TenantView[P]) -> View[P]:
    """Send anonymous visitors to the sign-in page and back, and people without an organization to found one.

    A form of one organization does nothing after its user has switched to another one in another tab.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        if request.member is None:  # type: ignore[attr-defined]
            return redirect("found-organization")
        _see_that_it_is_of_here(request)  # type: ignore[arg-type]
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return guarded


def _see_that_it_is_of_here(request: MemberRequest) -> None:
    here = str(request.member.organization_id)
    within = request.POST.get("within", here) if request.method == "POST" else here
    if within == here:
        return
    names = {str(one.organization_id): one.organization_name for one in request.memberships}
    there = names.get(within, "an organization you no longer belong to")
    raise Conflict(
        f"This page belongs to {there}, and you have switched to {request.member.organization.name} since. "
        "Switch to the organization you mean, open the page again and do it there."
    )
