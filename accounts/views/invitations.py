"""The invited person's side: they open the link, are asked whether to join, and answer.

The token leaves the address bar at once: it is kept in the session until the question is answered.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.middleware import SESSION_KEY
from accounts.services.invitations import NOT_GOOD, accept, offer
from accounts.verification import has_confirmed
from common.errors import Conflict, LimitReached, NotFound

HELD = "invitation"


@never_cache
@require_safe
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Redirect every link to the same page, which says whether it is valid."""
    request.session[HELD] = token[:100]
    return redirect("answer-invitation")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest) -> HttpResponse:
    token = request.session.get(HELD, "")
    if request.method == "POST":
        return _answered(request, token)
    offered = offer(token)
    if offered is None:
        return _not_good(request, NOT_GOOD)
    user = request.user
    theirs = user.is_authenticated and (
        user.email.lower() == offered.email or has_confirmed(user, offered.email)
    )
    return render(request, "settings/invitation.html", {"offer": offered, "theirs": theirs})


def _answered(request: HttpRequest, token: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect("answer-invitation")
    if request.POST.get("answer") == "switch":
        return _signed_out(request, token)
    if request.POST.get("answer") != "join":
        request.session.pop(HELD, None)
        messages.info(request, "You did not join. The link stays valid until it expires.")
        return redirect("overview")
    offered = offer(token)
    if offered is not None and request.POST.get("invitation", offered.id) != offered.id:
        # Opened in another tab, maybe by someone else: nobody joins something they were not asked about.
        messages.info(request, "Another invitation has been opened since. This is what that one offers.")
        return redirect("answer-invitation")
    try:
        member = accept(request.user, token)
    except NotFound as gone:
        return _not_good(request, gone.message)
    except (Conflict, LimitReached) as not_now:
        return _not_good(request, not_now.message)
    request.session.pop(HELD, None)
    request.session[SESSION_KEY] = str(member.organization_id)
    messages.success(request, f"You belong to {member.organization.name} now.")
    return redirect("overview")


def _signed_out(request: HttpRequest, token: str) -> HttpResponse:
    """Sign out and return to the same question, so that the invited person can sign in."""
    logout(request)
    request.session[HELD] = token
    return redirect("answer-invitation")


def _not_good(request: HttpRequest, said: str) -> HttpResponse:
    request.session.pop(HELD, None)
    return render(request, "settings/invitation_not_good.html", {"said": said}, status=410)
