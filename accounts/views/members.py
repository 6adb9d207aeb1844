"""What every tenant view stands behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from accounts.middleware import MemberRequest
from accounts.views.sign_in import to_sign_in

P = ParamSpec("P")
TenantView = Callable[Concatenate[MemberRequest, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def member_required(view: TenantView[P]) -> View[P]:
    """Anonymous: to the sign-in page and back. A person without an organization: to found one."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        if request.member is None:  # type: ignore[attr-defined]
            return redirect("found-organization")
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return guarded
