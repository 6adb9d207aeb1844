"""Members, invitations, API keys and the organization over REST: by every role, by strangers, by nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Invitation, Membership
from accounts.permissions import SCOPES
from accounts.services import create_api_key
from common.ids import public_id
from tests.cast import Cast, inside, key_whatever_the_role

Ask = Callable[..., Any]


@pytest.fixture
def ask(cast: Cast) -> Ask:
    """`ask(who, method, path, body)` with a key of every scope: what is refused is refused to the role."""

    def send(who: str, method: str, path: str, body: Any = None, *, scopes: tuple[str, ...] = SCOPES) -> Any:
        key = key_whatever_the_role(cast.everyone()[who], *scopes)
        return _sent(Client(headers={"Authorization": f"Bearer {key}"}), method, path, body)

    return send


def _sent(client: Client, method: str, path: str, body: Any) -> Any:
    sent = {} if method == "get" else {"data": json.dumps(body or {}), "content_type": "application/json"}
    return getattr(client, method)(f"/api/v1{path}", **sent)


@pytest.fixture
def verified(cast: Cast) -> None:
    for member in (cast.alice, cast.dave):
        EmailAddress.objects.update_or_create(
            user=member.user, email=member.user.email, defaults={"verified": True, "primary": True}
        )


def member_path(member: Membership) -> str:
    return f"/members/{public_id('mem', member.pk)}/"


def test_everybody_of_the_organization_sees_its_members_and_no_other(ask: Ask, cast: Cast) -> None:
    seen = ask("bob", "get", "/members/").json()["results"]
    assert {(one["email"].split("@")[0], one["role"]) for one in seen} == {
        ("alice", "owner"),
        ("bob", "viewer"),
        ("carol", "policy_manager"),
        ("dave", "admin"),
    }
    assert ask("bob", "get", member_path(cast.alice)).json()["email"] == "alice@example.com"
    assert ask("mallory", "get", member_path(cast.alice)).status_code == 404
    assert ask("bob", "get", "/members/", scopes=("servers:read",)).status_code == 403
    assert Client().get("/api/v1/members/").status_code == 401
    assert ask("alice", "post", "/members/").status_code == 405


def test_roles_are_changed_by_admins_and_owners_by_owners_alone(ask: Ask, cast: Cast) -> None:
    bob, alice = member_path(cast.bob), member_path(cast.alice)
    assert ask("carol", "patch", bob, {"role": "admin"}).status_code == 403
    assert ask("dave", "patch", bob, {"role": "owner"}).status_code == 403
    assert ask("dave", "patch", alice, {"role": "viewer"}).status_code == 403
    assert ask("mallory", "patch", bob, {"role": "admin"}).status_code == 404
    assert ask("dave", "patch", bob, {"role": "boss"}).status_code == 400
    assert ask("dave", "patch", bob, {"role": "policy_manager"}).json()["role"] == "policy_manager"
    last = ask("alice", "patch", alice, {"role": "viewer"})
    assert (last.status_code, last.json()["detail"][:28]) == (409, "An organization keeps at lea")


def test_a_member_is_removed_and_their_keys_are_dead(
    ask: Ask, cast: Cast, api_key: Callable[..., str]
) -> None:
    key = api_key(cast.dave)
    assert ask("carol", "delete", member_path(cast.dave)).status_code == 403
    assert ask("mallory", "delete", member_path(cast.dave)).status_code == 404
    assert ask("alice", "delete", member_path(cast.dave)).status_code == 204
    assert _sent(Client(headers={"Authorization": f"Bearer {key}"}), "get", "/me/", None).status_code == 401


@pytest.mark.usefixtures("verified")
def test_an_invitation_is_sent_sent_again_and_withdrawn(ask: Ask, cast: Cast) -> None:
    body = {"email": "erin@example.com", "role": "viewer"}
    assert ask("carol", "post", "/invitations/", body).status_code == 403
    assert ask("dave", "post", "/invitations/", {**body, "role": "owner"}).status_code == 403
    assert ask("dave", "post", "/invitations/", {**body, "email": "erin"}).status_code == 400
    made = ask("dave", "post", "/invitations/", body)
    assert (made.status_code, made.json()["state"]) == (201, "open")
    assert len(mail.outbox) == 1
    link = next(word for word in mail.outbox[0].body.split() if "/invitations/" in word)
    assert link.rstrip("/").rsplit("/", 1)[1] not in json.dumps(made.json())
    path = f"/invitations/{made.json()['id']}/"
    assert ask("dave", "post", "/invitations/", body).status_code == 409
    assert ask("carol", "get", "/invitations/").status_code == 403
    assert [one["email"] for one in ask("alice", "get", "/invitations/").json()["results"]] == [body["email"]]
    assert ask("alice", "get", path).json()["invited_by_email"] == "dave@example.com"
    assert ask("mallory", "get", path).status_code == 404
    assert ask("mallory", "post", f"{path}resend/").status_code == 404
    assert ask("alice", "post", f"{path}resend/").status_code == 429  # within a minute
    with inside(cast.alice):
        Invitation.objects.update(sent_at="2026-01-01T00:00:00Z")
    assert ask("alice", "post", f"{path}resend/").json()["sent_times"] == 2
    assert ask("mallory", "delete", path).status_code == 404
    assert ask("alice", "delete", path).status_code == 204
    assert ask("alice", "delete", path).status_code == 409


def test_an_unverified_person_invites_nobody(ask: Ask) -> None:
    answer = ask("alice", "post", "/invitations/", {"email": "erin@example.com", "role": "viewer"})
    assert answer.status_code == 403 and "Confirm your own e-mail address" in answer.json()["detail"]
    assert mail.outbox == []


def test_no_key_makes_keys_and_one_with_the_scope_revokes_them(
    ask: Ask, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    body = {"name": "ci", "scopes": ["servers:read"]}
    assert ask("alice", "post", "/api-keys/", body).status_code == 403
    browser = signed_in(cast.alice)
    made = _sent(browser, "post", "/api-keys/", body)
    assert made.status_code == 201 and made.json()["token"].startswith("plk_")
    assert made.headers["Cache-Control"] == "no-store"
    path = f"/api-keys/{made.json()['id']}/"
    assert "token" not in ask("dave", "get", path).json()
    assert ask("bob", "get", "/api-keys/").status_code == 403
    assert ask("mallory", "get", path).status_code == 404
    with inside(cast.alice):
        _, reader = create_api_key(cast.alice, "reads", ["keys:read"])
    reading = {"Authorization": f"Bearer {reader}"}
    assert Client().get(f"/api/v1{path}", headers=reading).status_code == 200
    assert Client().delete(f"/api/v1{path}", headers=reading).status_code == 403
    assert "people who are signed in" in ask("alice", "post", "/api-keys/", body).json()["detail"]
    assert _sent(signed_in(cast.carol), "post", "/api-keys/", body).status_code == 403
    assert _sent(signed_in(cast.mallory), "delete", path, None).status_code == 404
    assert ask("dave", "delete", path).status_code == 204
    assert _sent(browser, "delete", path, None).status_code == 204
    with inside(cast.alice):
        assert ApiKey.objects.get(name="ci").revoked_at is not None
        assert AuditEvent.objects.filter(verb="api_key.revoked").count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "ci", "scopes": []}, "/scopes"),
        ({"name": "ci", "scopes": ["everything"]}, "/scopes/0"),
        ({"name": "", "scopes": ["logs:read"]}, "/name"),
        ({"name": "ci", "scopes": ["logs:read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_in_its_place(
    body: dict[str, Any], pointer: str, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    answer = _sent(signed_in(cast.alice), "post", "/api-keys/", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_organization_is_renamed_by_its_owner(ask: Ask) -> None:
    assert ask("dave", "patch", "/organization/", {"name": "Acme Ltd"}).status_code == 403
    assert ask("alice", "patch", "/organization/", {"name": "Acme Ltd"}).json()["name"] == "Acme Ltd"
    assert ask("mallory", "get", "/organization/").json()["name"] == "Umbra"
    assert ask("alice", "patch", "/organization/", {"name": "  "}).status_code == 400
