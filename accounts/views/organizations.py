"""Founding an organization, and going from one to another."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import OrganizationForm
from accounts.middleware import SESSION_KEY, MemberRequest
from accounts.models import Role
from accounts.services import found_organization, memberships_of
from accounts.views.members import member_required

MOST_OWNED = 10
STAYS = "/policies/arrive/?"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def found(request: HttpRequest) -> HttpResponse:
    """Also for a person who belongs to none: every other page leads here then."""
    form = OrganizationForm(request.POST or None)
    mine = memberships_of(request.user)  # type: ignore[arg-type]
    if request.method == "POST" and form.is_valid():
        if sum(membership.role == Role.OWNER for membership in mine) >= MOST_OWNED:
            form.add_error(None, f"You own {MOST_OWNED} organizations, as many as one person may.")
            return render(request, "settings/found.html", {"form": form, "belongs": True}, status=429)
        founded = found_organization(request.user, form.cleaned_data["name"])  # type: ignore[arg-type]
        request.session[SESSION_KEY] = str(founded.organization_id)
        return redirect("onboarding")
    context = {"form": form, "belongs": bool(mine)}
    return render(request, "settings/found.html", context, status=422 if form.errors else 200)


@require_POST
@member_required
def switch(request: MemberRequest) -> HttpResponse:
    try:
        chosen = UUID(request.POST.get("organization", ""))
    except ValueError:
        raise Http404 from None
    if chosen not in {membership.organization_id for membership in request.memberships}:
        raise Http404
    request.session[SESSION_KEY] = str(chosen)
    return redirect(_stays(request) or "overview")


def _stays(request: MemberRequest) -> str:
    """A page of ours that is anybody's, such as the way in from the catalogue; all others belong to the
    organization one leaves."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if ours and wanted.startswith(STAYS) else ""
