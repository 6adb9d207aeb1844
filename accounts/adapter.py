from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from accounts.services import found_organization
from common.mail import attach_page, can_be_mailed

# The label of the button in a mail that has a link.
_ACTIONS = {
    "address_asked": "Add this address",
    "email_confirmation": "Confirm this address",
    "email_confirmation_signup": "Confirm this address",
    "password_reset_key": "Set a new password",
    "account_already_exists": "Set a new password",
    "unknown_account": "Create an account",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Creates an organization together with each account, so that everyone starts with one of their own."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "This account is switched off.",
        "cannot_remove_primary_email": "The primary address stays: make another one primary first.",
        "duplicate_email": "This address is already yours.",
        "email_password_mismatch": "No account has this address with this password.",
        "email_taken": "Another account has this address.",
        "enter_current_password": "Type the password you have now.",
        "incorrect_password": "That is not your password.",
        "invalid_password_reset": "This link is used up or too old. Ask for another one.",
        "max_email_addresses": "An account has at most %d addresses.",
        "too_many_login_attempts": "Too many tries. Wait a few minutes and try again.",
        "unverified_primary_email": "Confirm your primary address first.",
    }

    def clean_email(self, email: str) -> str:
        if not can_be_mailed(email):
            raise ValidationError(validate_email.message)
        return str(super().clean_email(email))

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user = super().save_user(request, user, form, commit)
        if commit:
            name = form.cleaned_data.get("organization") or user.email.partition("@")[0]
            found_organization(user, name)
        return user

    def render_mail(self, template_prefix: str, email: Any, context: Any, headers: Any = None) -> Any:
        links = {name: _ours(link) for name, link in context.items() if name.endswith("_url")}
        message = super().render_mail(template_prefix, email, {**context, **links}, headers)
        assert isinstance(message, EmailMultiAlternatives)
        attach_page(message, _ACTIONS.get(template_prefix.rpartition("/")[2], "Open it"))
        return message


def _ours(link: str) -> str:
    """Rebase a link on our public address: a request may name any allowed Host, with any port."""
    return settings.PUBLIC_URL.rstrip("/") + urlsplit(link)._replace(scheme="", netloc="").geturl()
