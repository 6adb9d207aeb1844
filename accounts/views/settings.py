from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import SESSION_KEY, MemberRequest
from accounts.models import ApiKey, AuditEvent
from accounts.permissions import May, may
from accounts.services import create_api_key, revoke_api_key
from accounts.views.members import member_required
from common.errors import InvalidInput
from common.ids import parse_public_id

# What there is to do with a key today; each word of the API has one line here.
OFFERED = {
    "servers:write": "Register, scan and change servers",
    "servers:read": "Read servers and tools",
    "policies:write": "Write and publish policies",
    "policies:read": "Read policies",
    "grants:write": "Issue, move and revoke grants",
    "grants:read": "Read grants",
    "logs:read": "Read decisions and audit events",
    "organization:read": "Read the organization",
}


class ApiKeyForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80, help_text="What will use it, such as “ci”.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=list(OFFERED.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one scope."},
    )


@require_safe
@member_required
def settings(request: MemberRequest) -> HttpResponse:
    return _page(request, ApiKeyForm())


@require_http_methods(["POST"])
@member_required
def create_key(request: MemberRequest) -> HttpResponse:
    """The answer shows the key; nothing else ever does."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        key, token = create_api_key(request.member, form.cleaned_data["name"], form.cleaned_data["scopes"])
    except InvalidInput as invalid:
        for field, sentences in invalid.field_errors.items():
            for sentence in sentences:
                form.add_error(field if field in form.fields else None, sentence)
        return _page(request, form, status=422)
    answer = render(request, "settings/key_created.html", {"key": key, "token": token, "section": "settings"})
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
@member_required
def revoke_key(request: MemberRequest, key_id: str) -> HttpResponse:
    try:
        pk = parse_public_id("key", key_id)
    except ValueError:
        raise Http404 from None
    revoke_api_key(request.member, get_object_or_404(ApiKey.objects.visible_to(request.member), pk=pk))
    return redirect("settings")


@require_POST
@member_required
def switch_organization(request: MemberRequest) -> HttpResponse:
    wanted = request.POST.get("organization", "")
    try:
        chosen = UUID(wanted)
    except ValueError:
        raise Http404 from None
    if chosen not in {membership.organization_id for membership in request.memberships}:
        raise Http404
    request.session[SESSION_KEY] = str(chosen)
    return redirect("overview")


def _page(request: MemberRequest, form: ApiKeyForm, status: int = 200) -> HttpResponse:
    member = request.member
    context = {
        "form": form,
        "organization": member.organization,
        "keys": ApiKey.objects.visible_to(member).select_related("member__user").order_by("-created_at"),
        "events": AuditEvent.objects.visible_to(member).order_by("-at")[:30],
        "may_keys": may(member, May.MANAGE_KEYS),
        "section": "settings",
    }
    return render(request, "settings/settings.html", context, status=status)
