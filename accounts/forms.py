from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest
from django.utils import timezone

from accounts.addresses import send_link
from accounts.models import Role
from accounts.services.settings import LEASE_SECONDS, RETENTION_DAYS, read_kept_paths
from accounts.verification import has_confirmed
from common.errors import InvalidInput
from common.spans import SpanField

# Every scope of the API has a line here.
SCOPES_OFFERED: Final = {
    "servers:write": "Register, scan and change servers",
    "servers:read": "Read servers and tools",
    "policies:write": "Write and publish policies",
    "policies:read": "Read policies",
    "grants:write": "Issue, move and revoke grants",
    "grants:read": "Read grants",
    "approvals:write": "Approve and decline calls",
    "approvals:read": "Read waiting calls and their answers",
    "members:write": "Invite, change and remove members",
    "members:read": "Read members and invitations",
    "webhooks:write": "Add and remove webhooks",
    "webhooks:read": "Read webhooks and what was sent to them",
    "organization:write": "Change the organization’s settings",
    "organization:read": "Read the organization",
    "keys:write": "Revoke API keys; no key can make one",
    "keys:read": "Read the list of API keys",
    "logs:read": "Read decisions and audit events",
}
EXPIRIES: Final = {"7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
ROLES_EXPLAINED: Final = {
    Role.VIEWER: "Viewer: reads names, policies and decisions, never arguments",
    Role.POLICY_MANAGER: "Policy manager: writes and publishes policies, approves calls, sees no secret",
    Role.ADMIN: "Admin: servers, credentials, grants, keys, and members below owner",
    Role.OWNER: "Owner: everything; only owners change security settings and owners, or delete",
}


class _NewPassword:
    """Sets the labels here and not only in the templates, because the list of errors names fields by them."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label = "New password"
        self.fields["password2"].label = "New password, again"


class ChangePasswordForm(_NewPassword, allauth.ChangePasswordForm):  # type: ignore[misc]  # it has no types
    pass


class SetPasswordForm(_NewPassword, allauth.SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(_NewPassword, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class AddEmailForm(allauth.AddEmailForm):  # type: ignore[misc]
    @property
    def confirmed_first(self) -> bool:
        """True if the new address must be confirmed before it is added: see `accounts.addresses`."""
        return bool(is_mfa_enabled(self.user)) or not has_confirmed(self.user)

    @property
    def replaces(self) -> bool:
        """True if the new address will replace the unconfirmed one: see `accounts.receivers`."""
        return not has_confirmed(self.user)

    def clean_email(self) -> str:
        try:
            return str(super().clean_email())
        except ValidationError as refused:
            # This check is allauth's last: the address has passed all the others.
            if refused.code != "add_email_blocked":
                raise
            return str(get_adapter().clean_email(self.cleaned_data["email"].lower()))

    def save(self, request: HttpRequest) -> EmailAddress:
        if not self.confirmed_first:
            return super().save(request)
        email = self.cleaned_data["email"]
        send_link(request, self.user, email)
        return EmailAddress(user=self.user, email=email)


class LoginForm(allauth.LoginForm):  # type: ignore[misc]
    """Fills in the address that the link here named (`?email=`), as the sign-up form does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is not None:
            self.fields["login"].initial = self.request.GET.get("email", "")


class SignupForm(allauth.SignupForm):  # type: ignore[misc]
    organization = forms.CharField(
        label="Organization",
        max_length=80,
        required=False,
        help_text="Your team or company. You can change it later.",
    )
    field_order = ["email", "password1", "organization"]


class OrganizationForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="Your team or company.",
        error_messages={"required": "Give it a name your team will recognise."},
    )


class DeleteForm(forms.Form):
    typed = forms.CharField(
        label="Its name",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the name of the organization. Nothing was deleted."},
    )


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="What will use it, such as “ci”.",
        error_messages={"required": "Say what will use it, such as “ci”."},
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=list(SCOPES_OFFERED.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may do."},
    )
    expires = forms.ChoiceField(label="It stops working", choices=list(EXPIRIES.items()), required=False)

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class InviteForm(forms.Form):
    email = forms.CharField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput,
        error_messages={"required": "Enter one e-mail address, such as ana@example.com."},
    )
    role = forms.ChoiceField(label="As", widget=forms.RadioSelect, initial=Role.VIEWER)

    def __init__(self, *args: object, owners: bool, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        shown = [role for role in ROLES_EXPLAINED if owners or role is not Role.OWNER]
        self.fields["role"].choices = [(role.value, ROLES_EXPLAINED[role]) for role in shown]  # type: ignore[attr-defined]


class SecurityForm(forms.Form):
    lease_seconds = SpanField(
        label="Lease",
        shortest=LEASE_SECONDS[0],
        longest=LEASE_SECONDS[1],
        such_as="12 hours",
        help_text="A gateway cut off from us enforces its last verified policies for this long, then denies "
        "every call. From 5 minutes to 30 days.",
    )
    log_retention_days = forms.IntegerField(
        label="Decisions are kept, in days",
        validators=[MinValueValidator(RETENTION_DAYS[0]), MaxValueValidator(RETENTION_DAYS[1])],
        help_text="Older ones are deleted within a day; counts are kept for two years. From 1 to 365.",
    )
    kept_arguments = forms.CharField(
        label="Arguments whose values the log keeps",
        required=False,
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "autocapitalize": "off"}),
        help_text="One path per line, like args.amount. Calls from now on keep these values, sealed, for as "
        "long as their decisions; owners, admins and policy managers see them. Leave out anything that holds "
        "secrets.",
    )
    explain_denials = forms.BooleanField(
        label="Explain denials to agents",
        required=False,
        help_text="Agents are then told which rule denied them and what it would allow. An agent that an "
        "attacker steers learns that too.",
    )

    def clean_kept_arguments(self) -> list[str]:
        try:
            return read_kept_paths(self.cleaned_data["kept_arguments"].splitlines())
        except InvalidInput as invalid:
            raise ValidationError(list(invalid.field_errors["kept_arguments"])) from None
