from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.models import ApiKey, AuditEvent
from accounts.permissions import May, may, require
from accounts.services import create_api_key, revoke_api_key
from accounts.views.members import member_required
from common.errors import InvalidInput
from common.ids import parse_public_id

NEWEST: Final = 30
# What there is to do with a key today; each word of the API has one line here.
OFFERED: Final = {
    "servers:write": "Register, scan and change servers",
    "servers:read": "Read servers and tools",
    "policies:write": "Write and publish policies",
    "policies:read": "Read policies",
    "grants:write": "Issue, move and revoke grants",
    "grants:read": "Read grants",
    "approvals:write": "Approve and decline calls",
    "approvals:read": "Read waiting calls and their answers",
    "logs:read": "Read decisions and audit events",
    "organization:read": "Read the organization",
}
DID: Final = {
    "api_key.created": "made the API key",
    "api_key.revoked": "revoked the API key",
    "approval.approved": "approved a call of",
    "approval.declined": "declined a call of",
    "approval_rules.changed": "changed the rules of approving in",
    "grant.issued": "issued the grant",
    "grant.moved": "put under another policy the grant",
    "grant.revoked": "revoked the grant",
    "organization.founded": "created the organization",
    "policy.created": "wrote the policy",
    "policy.published": "published the policy",
    "server.changed": "changed the server",
    "server.registered": "registered the server",
    "server.retired": "retired the server",
    "server.scanned": "scanned the server",
    "webhook.added": "added a webhook to",
    "webhook.removed": "removed the webhook to",
}
_PAGES: Final = {
    "srv": "servers:detail",
    "pol": "policies:editor",
    "grt": "grants:detail",
    "apr": "approvals:detail",
}


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="What will use it, such as “ci”.",
        error_messages={"required": "Say what will use it, such as “ci”."},
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=list(OFFERED.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may do."},
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One audit event as the page says it; `href` is empty where there is no page to go to."""

    event: AuditEvent
    did: str
    href: str


@require_safe
@member_required
def settings(request: MemberRequest) -> HttpResponse:
    return _page(request, ApiKeyForm())


@require_POST
@member_required
def create_key(request: MemberRequest) -> HttpResponse:
    """The answer shows the key; nothing else ever does."""
    require(request.member, May.MANAGE_KEYS)
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
    key = get_object_or_404(ApiKey.objects.visible_to(request.member), pk=pk)
    revoke_api_key(request.member, key)
    messages.success(request, f"The key {key.hint}… no longer works.")
    return redirect("settings")


def _page(request: MemberRequest, form: ApiKeyForm, status: int = 200) -> HttpResponse:
    member = request.member
    events = AuditEvent.objects.visible_to(member).order_by("-at", "-id")[:NEWEST]
    context = {
        "form": form,
        "organization": member.organization,
        "keys": ApiKey.objects.visible_to(member).select_related("member__user").order_by("-created_at"),
        "changes": [_change(event) for event in events],
        "newest": NEWEST,
        "may_keys": may(member, May.MANAGE_KEYS),
        "section": "settings",
    }
    return render(request, "settings/settings.html", context, status=status)


def _change(event: AuditEvent) -> Change:
    page = _PAGES.get(event.subject.partition("_")[0])
    return Change(event, DID.get(event.verb, event.verb), reverse(page, args=[event.subject]) if page else "")
