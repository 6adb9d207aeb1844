"""The gate of the pages for staff: off unless ADMIN_ENABLED, then for staff who showed a second factor."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase

from accounts.models import User

P = ParamSpec("P")
Answered = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def staff_only(view: Answered[P]) -> Answered[P]:
    """Anyone else who is signed in gets a 404: the pages exist for staff alone."""

    @wraps(view)
    def looked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not settings.ADMIN_ENABLED:
            raise Http404
        user = request.user
        if not isinstance(user, User):
            return redirect_to_login(request.get_full_path())
        if not (user.is_staff and is_mfa_enabled(user)):
            raise Http404
        if not _showed_a_second_factor(request, user):
            return redirect_to_login(request.get_full_path(), _where_to_show_one(user))
        return view(request, *args, **kwargs)

    return cast(Answered[P], looked)


def _showed_a_second_factor(request: HttpRequest, user: User) -> bool:
    """A session that is older than the person's second factor began with the password alone."""
    return any(one["method"] == "mfa" for one in get_authentication_records(request, user))


def _where_to_show_one(user: User) -> str:
    ways = get_adapter().get_reauthentication_methods(user)
    return next(str(way["url"]) for way in ways if way["id"].startswith("mfa_"))
