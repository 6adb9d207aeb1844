from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Membership
from policies.models import Policy
from servers.models import Server

if TYPE_CHECKING:
    _Choice = forms.ModelChoiceField[Any]
else:
    _Choice = forms.ModelChoiceField

EXPIRIES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year", "never": "Never"}


class StartForm(forms.Form):
    server = forms.CharField(widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=80,
        help_text="For whom or what, for instance “coding agents”.",
        error_messages={"required": "Give the policy a name of 1 to 80 ordinary characters."},
    )
    start = forms.CharField(required=False, widget=forms.HiddenInput)
    document = forms.CharField(required=False, strip=False, widget=forms.Textarea, label="Your policy.json")


class PublishForm(forms.Form):
    """`opened`: names of Critical tools that become callable; only these are asked about."""

    note = forms.CharField(
        max_length=300,
        required=False,
        label="What changed, for the history",
    )
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, opened: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if opened:
            verb = "become" if len(opened) > 1 else "becomes"
            self.fields["opens_critical"] = forms.BooleanField(
                label=f"{_listed(opened)} {verb} callable",
                error_messages={"required": f"Tick that {_listed(opened)} {verb} callable, or keep editing."},
            )


class CompareForm(forms.Form):
    old = forms.IntegerField(min_value=1)
    new = forms.IntegerField(min_value=1)


class _OneOf(_Choice):
    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except forms.ValidationError:
            # Also for a value that is not a UUID: Django's own message for those is not for people.
            raise forms.ValidationError(self.error_messages["invalid_choice"], "invalid_choice") from None


class PolicyChoice(_OneOf):
    def label_from_instance(self, obj: Policy) -> str:
        revision = obj.published_revision
        return f"{obj.name} ({f'revision {revision.number}' if revision else 'nothing published yet'})"


class MemberChoice(_OneOf):
    def label_from_instance(self, obj: Membership) -> str:
        return obj.user.email


class MoveForm(forms.Form):
    policy = PolicyChoice(
        Policy.objects.none(),
        required=False,
        to_field_name="pk",
        empty_label="None: every call is denied",
        error_messages={"invalid_choice": "Choose one of this server’s policies."},
    )

    def __init__(self, *args: Any, policies: QuerySet[Policy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["policy"].queryset = policies  # type: ignore[attr-defined]


class IssueForm(MoveForm):
    label = forms.CharField(
        max_length=80,
        help_text="Which agent on which machine it is for, for instance “laptop-cursor”.",
        error_messages={"required": "Say which agent it is for, in 1 to 80 ordinary characters."},
    )
    expiry = forms.ChoiceField(
        choices=list(EXPIRIES.items()),
        initial="90",
        label="Expires after",
        error_messages={"required": "Choose when it expires.", "invalid_choice": "Choose one of the times."},
    )
    holder = MemberChoice(
        Membership.objects.none(),
        required=False,
        empty_label=None,
        label="Held by",
        error_messages={"invalid_choice": "Choose a member of this organization."},
    )
    once = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ("label", "policy", "holder", "expiry", "once")

    def __init__(
        self, *args: Any, policies: QuerySet[Policy], members: QuerySet[Membership], **kwargs: Any
    ) -> None:
        super().__init__(*args, policies=policies, **kwargs)
        self.fields["holder"].queryset = members  # type: ignore[attr-defined]

    def expires_at(self) -> datetime | None:
        chosen = self.cleaned_data["expiry"]
        return None if chosen == "never" else timezone.now() + timedelta(days=int(chosen))


def policies_of(member: Membership, server: Server) -> QuerySet[Policy]:
    mine = Policy.objects.visible_to(member).filter(server=server)
    return mine.select_related("published_revision").defer("draft").order_by("name")


def members_of(member: Membership) -> QuerySet[Membership]:
    return Membership.objects.visible_to(member).select_related("user").order_by("user__email")


def _listed(names: list[str]) -> str:
    shown = [name if len(name) <= 60 else f"{name[:59]}…" for name in names[:5]]
    if len(names) > 5:
        shown.append(f"{len(names) - 5} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


class RotateForm(forms.Form):
    """`hint`: the first characters of the token that is to be replaced."""

    hint = forms.CharField(max_length=12, widget=forms.HiddenInput)
    overlap = forms.ChoiceField(
        choices=[
            ("0", "at once"),
            ("3600", "in an hour"),
            ("86400", "in a day"),
            ("604800", "in 7 days"),
        ],
        label="The current token stops working",
        initial="3600",
    )
