"""Settings, keys and organizations: who may do what, what is shown once, where one without a place is led."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import ApiKey, Membership, Organization, User
from accounts.services import create_api_key, found_organization, memberships_of
from accounts.services.organizations import MOST_OWNED
from tests.cast import PASSWORD, Acme, Cast, inside
from tests.ladder import SignedIn

KEY = {"name": "ci", "scopes": ["servers:read", "logs:read"]}
FOUND = "/organizations/new/"


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    with inside(cast.alice):
        return create_api_key(cast.alice, "ci", ["logs:read"])[0]


@pytest.fixture
def lonely(db: None) -> Client:
    """A person who belongs nowhere."""
    client = Client()
    user = User.objects.create_user("lonely@example.com", PASSWORD)
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_when_the_session_is_over_a_fragment_sends_the_whole_page_to_sign_in(
    db: None, client: Client
) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "http://evil.example/log/?outcome=deny"}
    answer = client.get("/workers/", headers=asked)
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=/log/%3Foutcome%3Ddeny"
    assert answer.content == b""


def test_a_form_sent_after_the_session_leads_back_to_the_page_it_stood_on(db: None, client: Client) -> None:
    for came_from, page in (
        ("http://testserver/settings/?a=b", "/settings/%3Fa%3Db"),
        ("http://evil.example/settings/", "/overview/"),
        ("http://testserver//evil.example/", "/evil.example/"),
        ("", "/overview/"),
    ):
        answer = client.post("/settings/rename/", {"name": "x"}, headers={"Referer": came_from})
        assert answer.headers["Location"] == f"/accounts/login/?next={page}"


def test_a_page_older_than_the_last_sign_in_is_loaded_anew_or_led_back_to(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    strict.get("/settings/")
    stale = {"X-CSRFToken": "x" * 32, "Referer": "http://testserver/settings/"}
    by_itself = strict.post("/settings/rename/", {"name": "x"}, headers={**stale, "HX-Request": "true"})
    assert (by_itself.status_code, by_itself.headers["HX-Refresh"]) == (403, "true")
    by_hand = strict.post("/settings/rename/", {"name": "x"}, headers=stale)
    assert by_hand.status_code == 403 and 'href="/settings/"' in by_hand.content.decode()
    strict.cookies.clear()
    # Loaded anew, it would be refused again: no cookie is kept.
    without = strict.post("/settings/rename/", {"name": "x"}, headers={**stale, "HX-Request": "true"})
    assert without.status_code == 403 and "HX-Refresh" not in without.headers


# ---- organizations
@pytest.mark.parametrize("path", ["/overview/", "/servers/", "/policies/", "/log/", "/settings/"])
def test_a_person_without_an_organization_is_led_to_one(path: str, lonely: Client) -> None:
    assert lonely.get(path).headers["Location"] == FOUND
    assert "You belong to no organization." in page(lonely, FOUND)


@pytest.mark.parametrize(
    "path", ["/account/", *(f"/accounts/{own}/" for own in ("email", "password/change", "2fa", "sessions"))]
)
def test_a_person_without_an_organization_has_an_account_all_the_same(path: str, lonely: Client) -> None:
    shown = page(lonely, path)
    assert "no organization" in shown and FOUND in shown and "/servers/" not in shown


def test_a_person_without_an_organization_can_delete_their_account(lonely: Client) -> None:
    assert lonely.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    assert "Delete lonely@example.com" in strip_tags(page(lonely, "/account/delete/"))
    assert "Your account is deleted" in lonely.post("/account/delete/").content.decode()
    assert "/accounts/login/" in lonely.get("/account/delete/").headers["Location"]
    assert not User.objects.exists()


def test_one_who_founds_owns_and_is_inside_at_once(lonely: Client) -> None:
    answer = lonely.post(FOUND, {"name": "  Harbour \u202e <b>  Demo "})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/get-started/")
    (membership,) = memberships_of(User.objects.get(email="lonely@example.com"))
    assert membership.role == "owner"
    raw = lonely.get("/settings/").content.decode()
    assert "\u202e" not in raw and "<b> Demo" not in raw and "Harbour" in raw


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_name_that_is_none_is_refused_in_place(name: str, lonely: Client) -> None:
    answer = lonely.post(FOUND, {"name": name})
    assert answer.status_code == 422
    assert "It is not created yet." in answer.content.decode()


def test_nobody_founds_without_signing_in(db: None, client: Client) -> None:
    for answer in (client.get(FOUND), client.post(FOUND, {"name": "x"})):
        assert answer.headers["Location"].startswith("/accounts/login/")
    assert not Organization.objects.exists()


def test_a_person_owns_so_many_organizations_and_no_more(cast: Cast, signed_in: SignedIn) -> None:
    for number in range(MOST_OWNED - 1):
        found_organization(cast.alice.user, f"Acme {number}")
    answer = signed_in(cast.alice).post(FOUND, {"name": "One more"})
    assert answer.status_code == 429
    assert "the most one person may" in answer.content.decode()
    assert len(memberships_of(cast.alice.user)) == MOST_OWNED


def test_one_goes_from_one_organization_to_another_and_only_among_the_own(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    alice = signed_in(cast.alice)
    assert "Go to another organization" not in page(alice, "/servers/")
    second = found_organization(cast.alice.user, "Second")
    assert "Go to another organization" in page(alice, "/servers/")
    _goes(alice, second)
    assert "AWS IAM" not in page(alice, "/servers/")
    assert alice.get(f"/servers/{acme.server.public_id}/").status_code == 404
    _goes(alice, cast.alice)
    assert "AWS IAM" in page(alice, "/servers/")
    for wrong in (str(cast.mallory.organization_id), "junk", ""):
        assert alice.post("/organizations/switch/", {"organization": wrong}).status_code == 404
    assert alice.get("/organizations/switch/").status_code == 405


def _goes(client: Client, to: Membership) -> None:
    sent = {"organization": str(to.organization_id)}
    assert client.post("/organizations/switch/", sent).headers["Location"] == "/overview/"


@pytest.mark.parametrize(("who", "sees"), [("bob", False), ("carol", False), ("dave", True), ("alice", True)])
def test_keys_are_shown_to_those_who_may_list_them_over_rest(
    who: str, sees: bool, cast: Cast, signed_in: SignedIn, api_key: Callable[..., str]
) -> None:
    hint = api_key(cast.dave, "logs:read")[:8]
    browser = signed_in(cast.everyone()[who])
    assert browser.get("/api/v1/api-keys/").status_code == (200 if sees else 403)
    for query in ("", "?q=dave"):
        page = browser.get(f"/settings/api-keys/{query}")
        assert page.status_code == 200 and (hint in page.content.decode()) is sees


def test_the_page_of_a_new_key_is_named_after_what_is_to_be_done(cast: Cast, signed_in: SignedIn) -> None:
    sent = {"name": "ci", "expires": "90", "scopes": ["logs:read"]}
    shown = signed_in(cast.alice).post("/settings/api-keys/", sent).content.decode()
    assert "plk_" in shown and "<title>Copy the key now · PolicyLayer</title>" in shown
