"""Founding an organization, and switching between organizations."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import OrganizationForm
from accounts.middleware import SESSION_KEY, MemberRequest
from accounts.services import memberships_of
from accounts.services.organizations import found_another
from accounts.views.members import member_required
from common.errors import LimitReached
from common.refusals import say_in_form

STAYS = "/policies/arrive/?"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def found(request: HttpRequest) -> HttpResponse:
    """Found an organization. People who belong to none are sent here by every tenant page."""
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            founded = found_another(request.user, form.cleaned_data["name"])  # type: ignore[arg-type]
        except LimitReached as refused:
            context = {"form": form, "belongs": True}
            return render(request, "settings/found.html", context, status=say_in_form(form, refused))
        request.session[SESSION_KEY] = str(founded.organization_id)
        return redirect("onboarding")
    context = {"form": form, "belongs": bool(memberships_of(request.user))}  # type: ignore[arg-type]
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
    """Return the page to stay on, or "". Only the way in from the catalogue is not tied to the organization
    that one leaves."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if ours and wanted.startswith(STAYS) else ""
