"""One's own account: the second step, sessions, and leaving for good."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.core.cache import cache
from django.test import Client, RequestFactory
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import AuditEvent, Membership, User
from accounts.services import create_api_key, found_organization, memberships_of
from accounts.services.members import change_role
from accounts.tenancy import organization_context
from tests.cast import PASSWORD, Acme, Cast, confirm, inside, person
from tests.ladder import SignedIn

EMAIL = "/accounts/email/"
SIGN_IN, DELETE, TOTP = "/accounts/login/", "/account/delete/", "/accounts/2fa/totp/activate/"


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _codes_outlive_their_half_minute(settings: Any) -> None:
    """One that was computed at its end is looked at in the next."""
    settings.MFA_TOTP_TOLERANCE = 4


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A person of her own, confirmed."""
    member = found_organization(person("erin"), "Erin & Co")
    confirm(member)
    return member


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.headers
    return unescape(answer.content.decode())


def signs_in(email: str = "erin@example.com") -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 \u202e<b>strange</b>"})
    client.post(SIGN_IN, {"login": email, "password": PASSWORD})
    return client


def is_it_still_you(client: Client) -> None:
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302


def code_now(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def set_up_app(client: Client) -> str:
    is_it_still_you(client)
    found = re.search(r'aria-labelledby="by-hand">(\w+)<', page(client, TOTP))
    assert found is not None
    assert client.post(TOTP, {"code": code_now(found.group(1))}).status_code == 302
    return found.group(1)


# ---- the second step
def test_after_it_is_set_up_the_password_alone_signs_nobody_in(erin: Membership) -> None:
    secret = set_up_app(signs_in())
    cache.clear()
    other = signs_in()
    assert other.get("/servers/").headers["Location"].startswith(SIGN_IN)
    assert "The second step" in page(other, "/accounts/2fa/authenticate/")
    wrong = other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "changes every 30 seconds" in unescape(wrong.content.decode())
    cache.clear()
    assert other.post("/accounts/2fa/authenticate/", {"code": code_now(secret)}).status_code == 302
    assert other.get("/servers/").status_code == 200


def test_its_secrets_are_sealed_at_rest(erin: Membership) -> None:
    secret = set_up_app(signs_in())
    stored = {one.type: one.data for one in Authenticator.objects.filter(user=erin.user)}
    assert secret not in str(stored)
    assert all(
        re.match(r"v1\.s1\.", value["secret" if kind == "totp" else "seed"]) for kind, value in stored.items()
    )


def test_a_recovery_code_lets_one_in_once(erin: Membership) -> None:
    client = signs_in()
    set_up_app(client)
    shown = page(client, "/accounts/2fa/recovery-codes/")
    codes = re.findall(r"\b\d{8}\b", shown)
    assert len(codes) == 10
    for status in (302, 200):
        cache.clear()
        other = signs_in()
        answer = other.post("/accounts/2fa/authenticate/", {"code": codes[0]})
        assert answer.status_code == status
    assert other.get("/servers/").status_code == 302


def test_nothing_of_it_is_changed_without_the_password_once_more(erin: Membership) -> None:
    client = signs_in()
    for path in (TOTP, "/accounts/2fa/webauthn/add/", DELETE):
        assert client.get(path).headers["Location"].startswith("/accounts/reauthenticate/")


def test_who_is_not_confirmed_is_told_to_confirm_first(cast: Cast, signed_in: SignedIn) -> None:
    client = Client()
    sign_up = {"email": "new@example.com", "password1": PASSWORD}
    client.post("/accounts/signup/", sign_up)
    assert client.get(TOTP).headers["Location"] == "/accounts/2fa/"
    assert "the way back in" in page(client, "/accounts/2fa/")


def test_its_owner_is_written_to_when_it_changes(
    erin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client = signs_in()
    # In the product the request goes on while its transaction ends; here it is over by then.
    with request_context(RequestFactory().get("/")), django_capture_on_commit_callbacks(execute=True):
        set_up_app(client)
    assert client.post("/accounts/2fa/totp/deactivate/").status_code == 302
    subjects = [one.subject for one in mail.outbox]
    assert "PolicyLayer: Two-step sign-in is on" in subjects
    assert "PolicyLayer: The authenticator app is off" in subjects
    assert not Authenticator.objects.filter(user=erin.user, type="totp").exists()


def test_a_forged_passkey_signs_nobody_in(erin: Membership, client: Client) -> None:
    for forged in ("", "{}", "null", '{"id": 1}', "x" * 10_000, '{"response": {"userHandle": "AAAA"}}'):
        answer = client.post("/accounts/2fa/webauthn/login/", {"credential": forged})
        assert answer.status_code in {200, 302, 429}
        assert client.get("/servers/").headers["Location"].startswith(SIGN_IN)


# ---- addresses
def asks_to_add(client: Client, email: str) -> str:
    """Where the link in the mail leads."""
    form = {"email": email, "action_add": ""}
    assert client.post(EMAIL, form).headers["Location"] == EMAIL
    assert mail.outbox[-1].to == [email]
    found = re.search(r"http://[^/\s]+(/accounts/address/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(1)


def test_with_a_second_step_an_address_is_added_once_its_link_was_opened(erin: Membership) -> None:
    client = signs_in()
    set_up_app(client)
    assert "added once you opened the link" in page(client, EMAIL)
    link = asks_to_add(client, "erin@other.example")
    shown = page(client, EMAIL)
    assert "on its way to erin@other.example" in shown
    assert EmailAddress.objects.count() == 1 and "Not confirmed" not in shown
    assert "Is this your address?" in page(client, link)
    assert EmailAddress.objects.count() == 1
    assert client.post(link).headers["Location"] == EMAIL
    assert EmailAddress.objects.get(email="erin@other.example").verified
    for method in (client.get, client.post):
        assert method(link).status_code == 410  # used


def test_the_link_adds_nothing_for_anybody_but_who_asked(erin: Membership, cast: Cast) -> None:
    client = signs_in()
    set_up_app(client)
    link = asks_to_add(client, "mallory@other.example")
    assert Client().get(link).headers["Location"].startswith(SIGN_IN)
    mallory = signs_in("mallory@example.com")
    for sent_to in (link, link[:-3] + "xx/"):
        assert mallory.post(sent_to).status_code == 410
    taken = EmailAddress.objects.create(user=cast.mallory.user, email="mallory@other.example", verified=True)
    assert "Someone else has this address" in unescape(client.post(link).content.decode())
    assert list(EmailAddress.objects.filter(email=taken.email)) == [taken]


def test_an_address_asked_for_twice_at_once_gets_one_mail(erin: Membership) -> None:
    client = signs_in()
    set_up_app(client)
    asks_to_add(client, "erin@other.example")
    sent = len(mail.outbox)
    client.post(EMAIL, {"email": "erin@other.example", "action_add": ""})
    assert len(mail.outbox) == sent
    assert "a few minutes ago" in page(client, EMAIL)
    wrong = client.post(EMAIL, {"email": "ERIN@example.com", "action_add": ""})
    assert "This address is already yours." in unescape(wrong.content.decode())


def test_who_signs_up_with_anothers_address_keeps_no_way_in(
    client: Client, cast: Cast, api_key: Callable[..., str]
) -> None:
    thief = Client()
    thief.post("/accounts/signup/", {"email": "victim@example.com", "password1": PASSWORD})
    user = User.objects.get(email="victim@example.com")
    (mine,) = memberships_of(user)
    with organization_context(mine.organization_id):
        key = api_key(Membership.objects.select_related("user").get(pk=mine.id), "servers:write")
    link = asks_to_add(thief, "thief@other.example")
    assert [each.email for each in EmailAddress.objects.filter(user=user)] == ["victim@example.com"]
    client.post("/accounts/password/reset/", {"email": "victim@example.com"})
    found = re.search(r"http://[^/\s]+(/accounts/password/reset/key/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    form = client.get(found.group(1), follow=True)
    new = "an entirely new passphrase"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert thief.post(link).headers["Location"].startswith(SIGN_IN)
    assert [each.email for each in EmailAddress.objects.filter(user=user)] == ["victim@example.com"]


def test_an_address_that_is_confirmed_takes_the_place_of_one_that_never_was(client: Client, db: None) -> None:
    client.post("/accounts/signup/", {"email": "mistyped@example.com", "password1": PASSWORD})
    assert "this one takes its place" in page(client, EMAIL)
    client.post(asks_to_add(client, "right@example.com"))
    (left,) = EmailAddress.objects.all()
    assert (left.email, left.primary, left.verified) == ("right@example.com", True, True)
    assert User.objects.get().email == "right@example.com"


# ---- sessions
def test_every_browser_is_listed_and_the_others_can_be_signed_out(erin: Membership) -> None:
    here, there = signs_in(), signs_in()
    raw = here.get("/accounts/sessions/").content.decode()
    assert raw.count("strange") == 4 and "<b>strange" not in raw and "\u202e" not in raw
    assert "2 browsers signed in" in page(here, "/account/")
    assert here.post("/accounts/sessions/").status_code == 302
    assert here.get("/servers/").status_code == 200
    assert there.get("/servers/").headers["Location"].startswith(SIGN_IN)
    assert "Only this browser is signed in." in page(here, "/accounts/sessions/")


def test_a_new_password_signs_every_other_browser_out_as_its_page_says(erin: Membership) -> None:
    change, new = "/accounts/password/change/", "a lantern on the kestrel"
    here, there = signs_in(), signs_in()
    assert "Every other browser is signed out;" in page(here, change)
    sent = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post(change, sent).status_code == 302
    assert here.get("/servers/").status_code == 200
    assert there.get("/servers/").headers["Location"].startswith(SIGN_IN)


def test_a_new_password_is_set_by_the_link_in_a_mail_and_once(erin: Membership, client: Client) -> None:
    new = "a lantern on the kestrel"
    confirm(erin)
    client.post("/accounts/password/reset/", {"email": "erin@example.com"})
    link = next(word for word in str(mail.outbox[-1].body).split() if "/password/reset/key/" in word)
    path = urlsplit(link).path
    # The secret stays in the session: what stands in the address bar opens nothing.
    form = client.get(path).headers["Location"]
    assert "The link is used up" in page(Client(), form)
    said = unescape(client.post(form, {"password1": "short", "password2": ""}).content.decode())
    assert "New password, again: fill this in." in said and "(again)" not in said
    done = client.post(form, {"password1": new, "password2": new})
    assert "Your password is set" in page(client, done.headers["Location"])
    assert "The link is used up" in page(Client(), path)
    assert Client().post(SIGN_IN, {"login": "erin@example.com", "password": new}).status_code == 302


# ---- throttling
def test_who_asks_too_often_is_told_so_on_a_page_of_ours(db: None, client: Client) -> None:
    for number in range(25):
        answer = client.post("/accounts/password/reset/", {"email": f"nobody{number}@example.com"})
    assert answer.status_code == 429
    assert "Too many tries" in answer.content.decode() and "Go to the first page" in answer.content.decode()


def test_a_request_that_cannot_be_read_gets_a_page_of_ours(db: None, client: Client) -> None:
    answer = client.get("/overview/", headers={"host": "not a host!"})
    assert answer.status_code == 400 and "That request cannot be read" in answer.content.decode()


def test_a_password_cannot_be_guessed_for_long(erin: Membership) -> None:
    said = ""
    for _ in range(12):
        answer = Client().post(SIGN_IN, {"login": "erin@example.com", "password": "a wrong guess"})
        said = unescape(answer.content.decode())
    assert "Too many" in said or answer.status_code == 429
    assert signs_in().get("/servers/").status_code == 302  # the right one must wait as well


# ---- the end of an account
def test_a_person_deletes_their_account_and_nothing_of_them_signs_in(cast: Cast, acme: Acme) -> None:
    dave = signs_in("dave@example.com")
    with inside(cast.dave):
        _, token = create_api_key(cast.dave, "ci", ["servers:read"])
    is_it_still_you(dave)
    assert "cannot be undone" in page(dave, DELETE)
    assert "Your account is deleted" in dave.post(DELETE).content.decode()
    assert not User.objects.filter(email="dave@example.com").exists()
    me = Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"})
    assert me.status_code == 401
    assert signs_in("dave@example.com").get("/servers/").status_code == 302
    with inside(cast.alice):
        assert AuditEvent.objects.filter(verb="member.left", actor_email="dave@example.com").exists()


def test_the_only_owner_is_told_what_to_do_first(cast: Cast) -> None:
    found_organization(cast.bob.user, "Bob's own")
    bob = signs_in("bob@example.com")
    is_it_still_you(bob)
    shown = page(bob, DELETE)
    assert "You are the only owner of" in shown and "Bob's own" in shown and "Delete bob@" not in shown
    answer = bob.post(DELETE)
    assert answer.status_code == 409
    assert "You are the only owner of Bob's own." in unescape(answer.content.decode())
    assert len(memberships_of(cast.bob.user)) == 2


def test_an_owner_beside_another_may_go(cast: Cast) -> None:
    with inside(cast.alice):
        change_role(cast.alice, cast.dave, "owner")
    alice = signs_in("alice@example.com")
    is_it_still_you(alice)
    assert alice.post(DELETE).status_code == 200
    assert not User.objects.filter(email="alice@example.com").exists()


def test_nobody_deletes_an_account_without_signing_in(client: Client, cast: Cast) -> None:
    for path in ("/account/", DELETE):
        assert client.get(path).headers["Location"].startswith(SIGN_IN)
        assert client.put(path).status_code in {302, 405}
    assert client.post(DELETE).headers["Location"].startswith(SIGN_IN)
    assert User.objects.count() == 5


# ---- the banner
def test_a_banner_asks_to_confirm_until_it_is_done(cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    assert "Confirm your e-mail address." in page(alice, "/servers/")
    confirm(cast.alice)
    assert "Confirm your e-mail address." not in page(alice, "/servers/")
