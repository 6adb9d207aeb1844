"""Settings pages of the organization itself: name, leaving and deleting, security, usage."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import limits
from accounts.forms import DeleteForm, OrganizationForm, SecurityForm
from accounts.middleware import MemberRequest
from accounts.models import Membership, Organization
from accounts.permissions import May, may, require
from accounts.services import rename_organization
from accounts.services.closing import delete_organization
from accounts.services.members import is_sole_owner
from accounts.services.members import leave as leave_organization
from accounts.services.settings import change_security
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput
from common.refusals import say_in_form


@require_safe
@member_required
def settings(request: MemberRequest) -> HttpResponse:
    return _settings(request)


@require_POST
@member_required
def rename(request: MemberRequest) -> HttpResponse:
    require(request.member, May.CHANGE_ORGANIZATION)
    form = OrganizationForm(request.POST)
    if not form.is_valid():
        return _organization(request, form, status=422)
    organization = rename_organization(request.member, form.cleaned_data["name"])
    messages.success(request, f"It is called {organization.name} now.")
    return redirect("settings")


@require_POST
@member_required
def leave(request: MemberRequest) -> HttpResponse:
    name = request.member.organization.name
    try:
        leave_organization(request.member)
    except Conflict as stays:
        return _settings(request, status=409, stays=stays.message)
    messages.info(request, f"You left {name}. Your API keys there no longer work.")
    return redirect("overview")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def delete(request: MemberRequest) -> HttpResponse:
    require(request.member, May.DELETE_ORGANIZATION)
    name = request.member.organization.name
    form = DeleteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            delete_organization(request.member, form.cleaned_data["typed"])
        except InvalidInput as invalid:
            say_in_form(form, invalid)
        else:
            messages.info(request, f"{name} is deleted.")
            return redirect("overview")
    context = {"form": form, "organization": request.member.organization, "section": "settings"}
    status = 422 if form.errors else 200
    return render(request, "settings/delete.html", context | {"pane": "organization"}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def security(request: MemberRequest) -> HttpResponse:
    organization = request.member.organization
    if request.method != "POST":
        return _security(request, SecurityForm(initial=_initial(organization)))
    require(request.member, May.CHANGE_SECURITY)
    form = SecurityForm(request.POST)
    if not form.is_valid():
        return _security(request, form, status=422)
    change_security(request.member, **form.cleaned_data)
    messages.success(request, "The security settings are changed. Gateways learn of it at once.")
    return redirect("security-settings")


@require_safe
@member_required
def usage(request: MemberRequest) -> HttpResponse:
    rows = limits.usage(request.member)
    context = {
        "rows": rows,
        "confirmed": limits.is_confirmed(request.member.organization_id),
        "servers_unconfirmed": limits.SERVERS_UNCONFIRMED,
        "calls_unconfirmed": limits.CALLS_A_MINUTE_UNCONFIRMED,
        "section": "settings",
        "pane": "usage",
    }
    return render(request, "settings/usage.html", context)


def _initial(organization: Organization) -> dict[str, object]:
    return {
        "lease_seconds": organization.lease_seconds,
        "explain_denials": organization.explain_denials,
        "log_retention_days": organization.log_retention_days,
        "kept_arguments": "\n".join(organization.kept_arguments),
    }


def _settings(request: MemberRequest, status: int = 200, stays: str = "") -> HttpResponse:
    form = OrganizationForm(initial={"name": request.member.organization.name})
    return _organization(request, form, status, stays)


def _organization(
    request: MemberRequest, form: OrganizationForm, status: int = 200, stays: str = ""
) -> HttpResponse:
    member = request.member
    context = {
        "form": form,
        "organization": member.organization,
        "members": Membership.objects.visible_to(member).count(),
        "may_rename": may(member, May.CHANGE_ORGANIZATION),
        "sole_owner": is_sole_owner(member),
        "stays": stays,
        "may_delete": may(member, May.DELETE_ORGANIZATION),
        "section": "settings",
        "pane": "organization",
    }
    return render(request, "settings/organization.html", context, status=status)


def _security(request: MemberRequest, form: SecurityForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "organization": request.member.organization,
        "may_change": may(request.member, May.CHANGE_SECURITY),
        "section": "settings",
        "pane": "security",
    }
    return render(request, "settings/security.html", context, status=status)
