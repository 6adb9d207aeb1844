"""Who is asking, and what a key or a membership is still good for."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts import middleware
from accounts.models import ApiKey, Invitation, Membership, Organization, User
from accounts.permissions import SCOPES, May, may
from accounts.services import MembershipName, found_organization, memberships_of
from accounts.tenancy import organization_context
from tests.cast import PASSWORD, Acme, Cast, confirm, inside, person

Browser = Callable[[Membership], Client]


def current() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.organization', true), '')")
        (value,) = cursor.fetchone()
    return str(value)


def ask(key: str, path: str, body: object = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    if body is None:
        return Client().get(f"/api/v1{path}", headers=headers)
    return Client().post(f"/api/v1{path}", body, content_type="application/json", headers=headers)


# ---- the setting that row-level security reads
def test_an_error_inside_another_organization_puts_the_first_one_back_and_is_not_masked(cast: Cast) -> None:
    acme, umbra = cast.alice.organization_id, cast.mallory.organization_id
    with organization_context(acme):
        with pytest.raises(DatabaseError, match="no_such_table"), organization_context(umbra):
            connection.cursor().execute("SELECT * FROM no_such_table")
        assert current() == str(acme)
        with organization_context(umbra):
            transaction.set_rollback(True)
        assert current() == str(acme)
    assert current() == ""


@pytest.mark.django_db(transaction=True)
def test_no_connection_keeps_an_organization_after_its_transaction(cast: Cast) -> None:
    with organization_context(cast.alice.organization_id):
        assert current()
    assert current() == ""
    with pytest.raises(RuntimeError), organization_context(cast.alice.organization_id):
        raise RuntimeError
    assert current() == ""


@pytest.mark.django_db(transaction=True)
def test_a_request_that_fails_leaves_nothing_behind_in_its_connection(
    cast: Cast, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    browser = signed_in(cast.alice)
    browser.raise_request_exception = False
    monkeypatch.setattr("servers.views.servers.render", fail)
    assert browser.get("/servers/").status_code == 500
    assert current() == ""


# ---- memberships
def test_a_membership_that_ends_between_two_looks_is_as_if_there_had_been_none(
    cast: Cast, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(cast.bob)

    def seen_a_moment_ago(user: User) -> list[MembershipName]:
        found = memberships_of(user)
        with inside(cast.alice):
            Membership.objects.filter(user=user).delete()
        return found

    monkeypatch.setattr(middleware, "memberships_of", seen_a_moment_ago)
    answer = browser.get("/servers/")
    assert (answer.status_code, answer["Location"]) == (302, "/organizations/new/")


@pytest.mark.parametrize("path", ["/overview/", "/servers/", "/settings/", "/log/", "/get-started/"])
def test_a_person_without_an_organization_is_led_to_found_one(path: str, db: None) -> None:
    browser = Client()
    browser.force_login(person("erin"), backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = browser.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/organizations/new/")
    assert browser.get("/organizations/new/").status_code == 200
    assert browser.get("/api/v1/me/").status_code in {401, 403}


@pytest.mark.django_db(transaction=True)
def test_a_sign_up_that_fails_half_way_leaves_no_person_without_an_organization(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("accounts.adapter.found_organization", fail)
    browser = Client(raise_request_exception=False)
    answer = browser.post("/accounts/signup/", {"email": "erin@example.com", "password1": PASSWORD})
    assert answer.status_code == 500
    assert not User.objects.filter(email="erin@example.com").exists()


def test_a_switch_to_an_organization_that_is_not_ones_own_finds_nothing(
    cast: Cast, signed_in: Browser
) -> None:
    browser = signed_in(cast.mallory)
    for foreign in (cast.alice.organization_id, "x", "", "\x00"):
        assert browser.post("/organizations/switch/", {"organization": foreign}).status_code == 404
    session = browser.session
    session[middleware.SESSION_KEY] = str(cast.alice.organization_id)
    session.save()
    assert browser.get("/api/v1/me/").json()["email"] == "mallory@example.com"
    assert browser.get("/api/v1/organization/").json()["name"] == "Umbra"


# ---- keys
@pytest.mark.parametrize("ended", ["expired", "revoked", "person deactivated", "membership ended"])
def test_a_key_that_is_no_longer_good_opens_nothing(
    ended: str, cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    key = api_key(cast.dave, *SCOPES)
    assert ask(key, "/me/").status_code == 200
    with inside(cast.alice):
        keys = ApiKey.objects.filter(member=cast.dave)
        match ended:
            case "expired":
                keys.update(expires_at=timezone.now() - timedelta(seconds=1))
            case "revoked":
                keys.update(revoked_at=timezone.now())
            case "person deactivated":
                User.objects.filter(pk=cast.dave.user_id).update(is_active=False)
            case _:
                Membership.objects.filter(pk=cast.dave.pk).delete()
    for path in ("/me/", "/servers/", "/policies/", f"/grants/{acme.grant.public_id}/"):
        assert ask(key, path).status_code == 401
    assert ask(key, f"/policies/{acme.policy.public_id}/publish/", {}).status_code == 401


def test_a_deactivated_persons_session_opens_nothing(cast: Cast, signed_in: Browser) -> None:
    browser = signed_in(cast.alice)
    User.objects.filter(pk=cast.alice.user_id).update(is_active=False)
    assert browser.get("/servers/").status_code == 302
    assert browser.get("/api/v1/servers/").status_code in {401, 403}


@pytest.mark.parametrize("question", ["lint", "effects", "decide"])
def test_a_question_about_a_policy_needs_the_scope_to_read_policies(
    question: str, cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    path = f"/policies/{acme.policy.public_id}/{question}/"
    body = (
        {"tool": "list_users"} if question == "decide" else {"document": {"version": "1", "default": "deny"}}
    )
    assert ask(api_key(cast.alice, "servers:write", "logs:read"), path, body).status_code == 403
    assert ask(api_key(cast.alice, "policies:read"), path, body).status_code == 200
    assert ask(api_key(cast.alice, "policies:write"), path, body).status_code == 200


def test_a_key_without_a_grants_scope_puts_no_grant_under_another_policy(
    cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    def move(key: str) -> int:
        return (
            Client()
            .patch(
                f"/api/v1/grants/{acme.grant.public_id}/",
                {"policy": None},
                content_type="application/json",
                headers={"Authorization": f"Bearer {key}"},
            )
            .status_code
        )

    assert move(api_key(cast.alice, "policies:write", "grants:read")) == 403
    assert move(api_key(cast.carol if may(cast.carol, May.MAKE_KEYS) else cast.dave, "grants:write")) == 200
    assert may(cast.carol, May.MOVE_GRANTS) and not may(cast.bob, May.MOVE_GRANTS)


def test_no_key_makes_keys_whatever_its_scopes(cast: Cast, api_key: Callable[..., str]) -> None:
    key = api_key(cast.alice, *SCOPES)
    with inside(cast.alice):
        cast.alice.acting_key = ApiKey.objects.get(member=cast.alice)
        assert not may(cast.alice, May.MAKE_KEYS)
    # Screens do not read keys at all.
    answer = Client().post("/settings/api-keys/", {}, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")


# ---- browsers
def test_a_session_alone_changes_nothing_over_the_api_without_the_csrf_token(cast: Cast, acme: Acme) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    for method, path in (
        ("post", "/api/v1/servers/"),
        ("delete", f"/api/v1/servers/{acme.server.public_id}/"),
        ("post", f"/api/v1/grants/{acme.grant.public_id}/revoke/"),
        ("post", "/settings/api-keys/"),
        ("post", f"/grants/{acme.grant.public_id}/revoke/"),
    ):
        answer = getattr(browser, method)(path, "{}", content_type="text/plain")
        assert answer.status_code == 403, path
    with inside(cast.alice):
        acme.grant.refresh_from_db()
        assert acme.grant.revoked_at is None


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\x00"]
)
def test_signing_in_leads_nowhere_else(elsewhere: str, cast: Cast) -> None:
    answer = Client().post(
        "/accounts/login/", {"login": cast.alice.user.email, "password": PASSWORD, "next": elsewhere}
    )
    assert answer.status_code in {200, 302}
    assert "evil" not in answer.headers.get("Location", "") and "javascript" not in answer.headers.get(
        "Location", ""
    )


def test_a_host_that_is_not_ours_is_refused(cast: Cast) -> None:
    for host in ("evil.example", "testserver.evil.example", "a b", "testserver@evil"):
        assert Client(headers={"host": host}).get("/accounts/login/").status_code == 400


def test_guessing_passwords_is_slowed_down(cast: Cast) -> None:
    said = [
        Client().post("/accounts/login/", {"login": cast.alice.user.email, "password": f"guess {n}"})
        for n in range(12)
    ]
    assert "Too many" in said[-1].content.decode()


def test_a_form_of_one_organization_does_nothing_in_another_that_was_gone_to_since(
    cast: Cast, signed_in: Browser
) -> None:
    """Every page that has one: what it makes or changes is named by nothing but where one is."""
    confirm(cast.alice)
    beside = found_organization(cast.alice.user, "Beside")
    browser = signed_in(cast.alice)
    panes = ("", "members/", "security/", "api-keys/", "delete/")
    pages = [*(f"/settings/{pane}" for pane in panes), "/servers/register/", "/approvals/settings/"]
    drawn = {page: browser.get(page).content.decode() for page in pages}
    browser.post("/organizations/switch/", {"organization": str(beside.organization_id)})
    found = 0
    for path, page in drawn.items():
        for begun, inside_it in re.findall(r'<form([^>]*method="post"[^>]*)>(.*?)</form>', page, re.S):
            action = dict(re.findall(r'(\w+)="([^"]*)"', begun)).get("action", path)
            # Rows are named by ids, which are found in their own organization alone.
            if action.startswith(("/settings/", "/servers/", "/approvals/")) and "_" not in action:
                sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', inside_it))
                answer = browser.post(action, {**sent, "email": "erin@example.com", "typed": "Beside"})
                assert answer.status_code == 409, action
                assert (
                    "This page belongs to Acme, and you have switched to Beside since"
                    in answer.content.decode()
                )
                found += 1
    assert found >= 10
    with inside(beside):
        assert Organization.objects.get().name == "Beside" and Invitation.objects.count() == 0
