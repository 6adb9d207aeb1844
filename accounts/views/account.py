"""Pages of a person's own account, whichever organization they are in."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.addresses import asked_for
from accounts.models import User
from accounts.services.people import delete_account, only_owner_of
from accounts.verification import has_confirmed
from common.errors import Conflict


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    kinds = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    context = {
        "confirmed": has_confirmed(user),
        "app": Authenticator.Type.TOTP in kinds,
        "passkeys": kinds.count(Authenticator.Type.WEBAUTHN),
        "sessions": len(UserSession.objects.purge_and_list(user)),
    }
    return render(request, "account/account.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def delete(request: HttpRequest) -> HttpResponse:
    """Ask for the password before showing the button, and again if that was a while ago."""
    said = ""
    if request.method == "POST":
        try:
            delete_account(_person(request))
        except Conflict as stays:
            said = stays.message
        else:
            logout(request)
            return render(request, "account/deleted.html")
    context = {"said": said, "stays_in": only_owner_of(_person(request)), "pane": "delete"}
    return render(request, "account/delete.html", context, status=409 if said else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add_address(request: HttpRequest, key: str) -> HttpResponse:
    """The page that the link in the mail leads to: it adds the address once confirmed."""
    address = asked_for(_person(request), key)
    if request.method == "POST" and address and get_adapter().confirm_email(request, address):
        return redirect("account_email")
    status = 200 if address else 410
    return render(request, "account/add_address.html", {"address": address}, status=status)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
