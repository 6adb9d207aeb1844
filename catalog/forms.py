"""The forms that visitors may send, and how much of them is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django import forms
from django.core import signing
from django.core.validators import validate_email

from catalog.classifier.vocabulary import ToolClass
from catalog.models import CatalogTool
from common.mail import can_be_mailed

LONGEST_ABOUT: Final = 200
_SALT: Final = "catalog.forms"
_GOOD_FOR: Final = timedelta(days=8)


def stamp() -> str:
    """The day on which the page was made, signed: the same for everyone, and nobody else can make one."""
    return signing.Signer(salt=_SALT).sign(datetime.now(UTC).date().isoformat())


def is_fresh(proof: str) -> bool:
    try:
        day = datetime.fromisoformat(signing.Signer(salt=_SALT).unsign(proof)).replace(tzinfo=UTC)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    return timedelta(0) <= datetime.now(UTC) - day < _GOOD_FOR


class _Visitor(forms.Form):
    proof = forms.CharField(max_length=200, widget=forms.HiddenInput, required=False)
    page = forms.CharField(max_length=300, widget=forms.HiddenInput, required=False)
    # A trap for bots: people never see it and leave it empty.
    website = forms.CharField(max_length=200, required=False)

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("website") or not is_fresh(str(cleaned.get("proof", ""))):
            raise forms.ValidationError("This form is too old. Load the page again and send it once more.")
        return cleaned


class ContactForm(_Visitor):
    email = forms.EmailField(
        label="Your e-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    about = forms.CharField(label="About", max_length=LONGEST_ABOUT, required=False)
    message = forms.CharField(label="Message", max_length=5000, widget=forms.Textarea(attrs={"rows": 4}))

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if not can_be_mailed(email):
            raise forms.ValidationError(validate_email.message)
        return email


class LabelForm(_Visitor):
    server = forms.CharField(max_length=100, widget=forms.HiddenInput)
    tool = forms.CharField(max_length=128, widget=forms.HiddenInput)
    should_be = forms.ChoiceField(
        label="It should be",
        choices=[("", "Choose a class"), *((str(c), str(c)) for c in reversed(ToolClass))],
        error_messages={"required": "Choose the class that it should be."},
    )
    why = forms.CharField(
        label="Why", max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean_should_be(self) -> str:
        should_be = str(self.cleaned_data["should_be"])
        named = {"server__slug": self.cleaned_data.get("server"), "slug": self.cleaned_data.get("tool")}
        if CatalogTool.objects.filter(**named, removed_at=None, tool_class=should_be).exists():
            raise forms.ValidationError(
                f"{should_be} is the class that it has. Choose the one that it should be."
            )
        return should_be
