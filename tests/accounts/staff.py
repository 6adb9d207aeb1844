"""Staff who have shown their second factor."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import call_command
from django.test import Client, RequestFactory

from accounts.models import Membership
from tests.roles import as_owner


def make_staff(member: Membership) -> None:
    with as_owner():
        call_command("staff", "add", member.user.email)
    TOTP.activate(member.user, generate_totp_secret())


def show_second_factor(client: Client, member: Membership) -> Client:
    """As if the code had been typed in this session: the real way is in test_staff_gate."""
    asked = RequestFactory().get("/")
    asked.session = client.session
    record_authentication(asked, member.user, "mfa", type="totp")
    asked.session.save()
    return client
