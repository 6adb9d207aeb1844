"""Signing up makes an organization; what is wrong is said in place, and nothing typed is lost but secrets."""

from __future__ import annotations

import re
import time
from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import Membership, User
from accounts.services import memberships_of
from tests.cast import PASSWORD, Cast, inside

SIGN_UP, SIGN_IN = "/accounts/signup/", "/accounts/login/"
GOOD = {"email": "new@example.com", "password1": PASSWORD, "organization": "New & Co"}


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


def test_signing_up_makes_an_organization_one_owns(db: None, client: Client) -> None:
    answer = client.post(SIGN_UP, GOOD)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/get-started/")
    user = User.objects.get(email="new@example.com")
    (membership,) = memberships_of(user)
    assert (membership.organization_name, membership.role) == ("New & Co", "owner")
    page = client.get("/get-started/").content.decode()
    assert "New &amp; Co" in page
    assert user.password.startswith("md5$")  # hashed: the tests' fast hasher, argon2 or pbkdf2 elsewhere


def test_the_address_is_asked_to_be_confirmed_and_everything_works_meanwhile(
    db: None, client: Client
) -> None:
    client.post(SIGN_UP, GOOD)
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    link = re.search(r"https?://\S+/accounts/confirm-email/\S+", str(message.body))
    assert link is not None
    assert client.get("/servers/").status_code == 200


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": "not an address"}, "e-mail"),
        ({"email": ""}, "required"),
        ({"password1": "short"}, "at least 10 characters"),
        ({"password1": "1234567890"}, "numeric"),
        ({"password1": ""}, "required"),
        ({"organization": "x" * 81}, "80"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    changed: dict[str, str], said: str, db: None, client: Client
) -> None:
    answer = client.post(SIGN_UP, GOOD | changed)
    page = answer.content.decode()
    assert answer.status_code in {200, 422}
    assert said.lower() in page.lower()
    assert (GOOD | changed)["email"] in page
    assert PASSWORD not in page
    assert not User.objects.exists()


def test_a_taken_address_makes_no_second_account(cast: Cast, client: Client) -> None:
    before = User.objects.count()
    client.post(SIGN_UP, GOOD | {"email": "ALICE@example.com"})
    assert User.objects.count() == before
    with inside(cast.alice):
        assert Membership.objects.filter(user=cast.alice.user).count() == 1


def test_who_asks_which_addresses_have_accounts_is_answered_for_a_hundred_of_them_an_hour(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four seconds pass from one to the next.
    clock = SimpleNamespace(time=partial(next, count(step=4)), monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr("allauth.core.internal.ratelimit.time", clock)
    asked = [client.post(SIGN_UP, GOOD | {"email": "alice@example.com"}).status_code for _ in range(102)]
    assert (asked.index(429), set(asked)) == (100, {200, 429})


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(cast: Cast, client: Client) -> None:
    wrong = client.post(SIGN_IN, {"login": "alice@example.com", "password": "wrong horse battery"})
    unknown = client.post(SIGN_IN, {"login": "nobody@example.com", "password": "wrong horse battery"})
    assert wrong.status_code == unknown.status_code != 302
    assert _errors(wrong.content.decode()) == _errors(unknown.content.decode()) != []
    assert "wrong horse battery" not in wrong.content.decode()


def test_guessing_passwords_is_throttled(cast: Cast, client: Client) -> None:
    guess = {"login": "alice@example.com", "password": "wrong horse battery"}
    answers = [client.post(SIGN_IN, guess) for _ in range(12)]
    late = client.post(SIGN_IN, guess | {"password": PASSWORD})
    assert answers[-1].status_code == 429 or "too many" in answers[-1].content.decode().lower()
    assert late.status_code != 302


def test_signing_in_leads_back_to_where_one_was_going_and_never_elsewhere(cast: Cast, client: Client) -> None:
    good = {"login": "alice@example.com", "password": PASSWORD}
    assert client.get("/grants/").headers["Location"] == "/accounts/login/?next=/grants/"
    assert client.post(f"{SIGN_IN}?next=/grants/", good).headers["Location"] == "/grants/"
    client.post("/accounts/logout/")
    for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        client.logout()
        answer = client.post(SIGN_IN, good | {"next": elsewhere})
        assert "evil.example" not in answer.headers.get("Location", "")


def test_signing_out_takes_a_post(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/accounts/logout/").status_code == 200
    assert client.get("/servers/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/servers/").status_code == 302


def test_a_form_without_its_token_is_refused(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert strict.post("/servers/register/", {"name": "x"}).status_code == 403
    body = '{"name": "x", "upstream_url": "https://x.example/"}'
    refused = strict.post("/api/v1/servers/", body, content_type="application/json")
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"


def _errors(page: str) -> list[str]:
    return re.findall(r'<p class="bad"[^>]*>(.*?)</p>', page, re.DOTALL) or re.findall(
        r'<div[^>]*class="sum[^"]*"[^>]*>(.*?)</div>', page, re.DOTALL
    )


@pytest.mark.parametrize("address", ['"a\x0bb"@example.com', "a@\u06dd.com", f"a@{'é' * 62}.com"])
def test_an_address_no_mail_can_carry_makes_no_account(db: None, address: str) -> None:
    answer = Client().post("/accounts/signup/", {"email": address, "password1": "correct horse battery"})
    assert list(answer.context["form"].errors) == ["email"]
    assert not mail.outbox and not User.objects.filter(email=address).exists()
