"""What a mail leads to is ours, whatever Host the request named that had it sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives
from django.test import Client, override_settings

from accounts.services import found_organization
from tests.cast import PASSWORD, person

PUBLIC = "https://policylayer.example"
ELSEWHERE = "testserver:6666"


@pytest.fixture(autouse=True)
def _ours(settings: Any) -> None:
    cache.clear()
    settings.PUBLIC_URL = PUBLIC


def links_of_the_mail() -> set[str]:
    """Where its links lead, in the text and in the page."""
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    texts = [str(message.body), *(str(part[0]) for part in message.alternatives)]
    assert all("http" in text for text in texts)
    return {found for text in texts for found in re.findall(r"https?://[^/\s\"<]+", text)}


@pytest.mark.parametrize("known", [True, False])
def test_of_a_new_password(db: None, known: bool) -> None:
    if known:
        found_organization(person("erin"), "Erin & Co")
    Client().post("/accounts/password/reset/", {"email": "erin@example.com"}, headers={"Host": ELSEWHERE})
    assert links_of_the_mail() == {PUBLIC}


def test_of_signing_up(db: None) -> None:
    asked = {"email": "erin@example.com", "password1": PASSWORD, "organization": "Erin & Co"}
    Client().post("/accounts/signup/", asked, headers={"Host": ELSEWHERE})
    assert links_of_the_mail() == {PUBLIC}


def test_of_another_address(db: None) -> None:
    client = Client()
    member = found_organization(person("erin"), "Erin & Co")
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.post("/accounts/login/", {"login": "erin@example.com", "password": PASSWORD})
    with override_settings(ACCOUNT_REAUTHENTICATION_REQUIRED=False):
        asked = {"action_add": "", "email": "other@example.com"}
        client.post("/accounts/email/", asked, headers={"Host": ELSEWHERE})
    assert links_of_the_mail() == {PUBLIC}
