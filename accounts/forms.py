from __future__ import annotations

from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms


class SignupForm(AllauthSignupForm):  # type: ignore[misc]  # allauth has no types
    organization = forms.CharField(
        label="Organization",
        max_length=80,
        required=False,
        help_text="Your team or company. You can change it later.",
    )
    field_order = ["email", "password1", "organization"]
