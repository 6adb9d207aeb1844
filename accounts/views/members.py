"""What every tenant view stands behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from accounts.middleware import MemberRequest

P = ParamSpec("P")
TenantView = Callable[Concatenate[MemberRequest, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def member_required(view: TenantView[P]) -> View[P]:
    """Anonymous: to the sign-in page and back. A person without an organization: to found one."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if request.member is None:  # type: ignore[attr-defined]
            return redirect("found-organization")
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return guarded


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """And back. A fragment asked for by a page would be filled with the form: there the whole page goes."""
    if "HX-Request" not in request.headers:
        return redirect_to_login(request.get_full_path())
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    answer = HttpResponse()
    answer["HX-Redirect"] = redirect_to_login(page._replace(scheme="", netloc="").geturl() or "/").url
    return answer
