"""Approvals from a shell, rung by rung: a key answers as its maker, and says no more than they may read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, IdempotentAnswer, Membership, Organization, Role
from approvals.models import Approval
from common.ids import parse_public_id
from policies.models import Grant
from policies.services import issue_grant, rotate_grant
from tests.approvals.calls import fresh, waiting
from tests.approvals.conftest import Clock
from tests.cast import Acme, Cast, inside, key_whatever_the_role

Ask = Callable[..., Any]
WRITES = "approvals:write"


@pytest.fixture
def row(cast: Cast, acme: Acme) -> Approval:
    """Alice holds its grant, so somebody else answers."""
    return waiting(acme, {"user_name": "s3cret-user"})


@pytest.fixture
def ask(cast: Cast) -> Ask:
    """`ask(key, method, path, body)`; keys are made once, by name of their maker and scopes."""
    made: dict[tuple[str, tuple[str, ...]], str] = {}

    def send(who: str, method: str, path: str, body: Any = None, scopes: tuple[str, ...] = (WRITES,)) -> Any:
        headers = {}
        if who != "nobody":
            if (who, scopes) not in made:
                made[who, scopes] = key_whatever_the_role(cast.everyone()[who], *scopes)
            headers["Authorization"] = f"Bearer {made[who, scopes]}"
        sent = {} if method == "get" else {"data": json.dumps(body or {}), "content_type": "application/json"}
        return getattr(Client(), method)(f"/api/v1{path}", **sent, headers=headers)

    return send


def test_a_keys_answer_counts_as_its_makers(ask: Ask, row: Approval, cast: Cast) -> None:
    path = f"/approvals/{row.public_id}/approve/"
    own = ask("alice", "post", path)
    assert own.status_code == 403 and "someone else answers" in own.json()["detail"]
    assert fresh(cast.alice, row).state == "pending"
    answer = ask("carol", "post", path, {"note": "agreed"})
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    assert (answer.json()["answered_by"], answer.json()["note"]) == ("carol@example.com", "agreed")
    with inside(cast.alice):
        event = AuditEvent.objects.get(verb="approval.approved")
    assert (event.actor_email, event.subject) == ("carol@example.com", row.public_id)
    assert "s3cret-user" not in json.dumps(event.details)


def test_neither_who_holds_a_grant_nor_who_was_shown_its_token_answers_its_calls(
    ask: Ask, cast: Cast, acme: Acme
) -> None:
    body = {"server": acme.server.public_id, "policy": acme.policy.public_id, "label": "of Carol"}
    issued = ask("alice", "post", "/grants/", {**body, "holder": cast.carol.public_id}, ("grants:write",))
    assert (issued.status_code, issued.json()["holder"]) == (201, cast.carol.public_id)
    of_alice = ask("alice", "post", "/grants/", body, ("grants:write",))
    assert of_alice.json()["holder"] == cast.alice.public_id
    with inside(cast.alice):
        grant = Grant.objects.get(pk=parse_public_id("grt", issued.json()["id"]))
    path = f"/approvals/{waiting(replace(acme, grant=grant)).public_id}/approve/"
    assert "You hold this grant" in ask("carol", "post", path).json()["detail"]
    assert "You were shown this grant’s token" in ask("alice", "post", path).json()["detail"]
    assert ask("dave", "post", path).json()["state"] == "approved"


def test_whoever_was_shown_a_token_that_still_works_does_not_answer_its_calls(
    ask: Ask, cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        grant, _ = issue_grant(cast.alice, acme.server, acme.policy, "of Carol", holder=cast.carol)
        rotate_grant(cast.dave, grant)
        rotate_grant(cast.alice, grant, overlap_seconds=86_400)
        Organization.objects.update(self_approval=False)
    path = f"/approvals/{waiting(replace(acme, grant=grant)).public_id}/approve/"
    assert "You were shown this grant’s token" in ask("dave", "post", path).json()["detail"]
    with inside(cast.alice):
        Grant.objects.filter(pk=grant.pk).update(earlier_until=timezone.now())
    assert ask("dave", "post", path).json()["state"] == "approved"


def test_where_everybody_who_could_answer_was_shown_the_token_they_may(
    ask: Ask, cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.dave.pk).update(role=Role.VIEWER)
        grant, _ = issue_grant(cast.alice, acme.server, acme.policy, "of Carol", holder=cast.carol)
    path = f"/approvals/{waiting(replace(acme, grant=grant)).public_id}/approve/"
    with inside(cast.alice):
        Organization.objects.update(self_approval=False)
    assert "Nobody else can yet" in ask("carol", "post", path).json()["detail"]
    with inside(cast.alice):
        Organization.objects.update(self_approval=None)
    assert ask("carol", "post", path).json()["state"] == "approved"


@pytest.mark.parametrize("verb", ["approve", "decline"])
def test_who_may_not_answer_answers_nothing(verb: str, ask: Ask, row: Approval, cast: Cast) -> None:
    path = f"/approvals/{row.public_id}/{verb}/"
    assert ask("bob", "post", path).status_code == 403
    assert ask("dave", "post", path, scopes=("approvals:read", "grants:write")).status_code == 403
    assert ask("mallory", "post", path).status_code == 404
    assert ask("nobody", "post", path).status_code == 401
    for method in ("get", "put", "patch", "delete"):
        assert ask("dave", method, path).status_code == 405
    for body, pointer in (
        ({"note": 7}, "/note"),
        ({"note": "x" * 5_000}, "/note"),
        ({"why": "x"}, "/why"),
        ([1], ""),
    ):
        wrong = ask("dave", "post", path, body)
        assert wrong.status_code == 400
        assert [error["pointer"] for error in wrong.json()["errors"]] == [pointer]
    assert ask("dave", "post", path.replace(row.public_id, "apr_x")).status_code == 404
    assert fresh(cast.alice, row).state == "pending"


def test_the_second_answer_is_told_of_the_first(ask: Ask, row: Approval, cast: Cast, clock: Clock) -> None:
    assert ask("carol", "post", f"/approvals/{row.public_id}/decline/").status_code == 200
    second = ask("dave", "post", f"/approvals/{row.public_id}/approve/")
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert "carol@example.com already declined this call" in second.json()["detail"]
    assert ask("dave", "get", f"/approvals/{row.public_id}/").json()["state"] == "declined"


def test_arguments_are_for_those_who_may_approve(ask: Ask, row: Approval, cast: Cast) -> None:
    reads = ("approvals:read",)
    for path in ("/approvals/", f"/approvals/{row.public_id}/"):
        assert "s3cret-user" in ask("carol", "get", path, scopes=reads).content.decode()
        bobs = ask("bob", "get", path, scopes=reads)
        assert bobs.status_code == 200 and "s3cret-user" not in bobs.content.decode()
        assert ask("alice", "get", path, scopes=("logs:read",)).status_code == 403
    (seen,) = ask("bob", "get", "/approvals/?state=pending", scopes=reads).json()["results"]
    assert (seen["id"], seen["arguments_json"]) == (row.public_id, None)
    assert ask("mallory", "get", "/approvals/", scopes=reads).json()["results"] == []
    assert ask("mallory", "get", f"/approvals/{row.public_id}/", scopes=reads).status_code == 404


def test_a_time_limit_that_ended_is_so_in_every_list(
    ask: Ask, row: Approval, cast: Cast, clock: Clock
) -> None:
    clock.go_on(16 * 60)

    def found(state: str) -> list[str]:
        rows = ask("carol", "get", f"/approvals/?state={state}").json()["results"]
        return [one["state"] for one in rows]

    assert (found("pending"), found("approved"), found("expired")) == ([], [], ["expired"])
    late = ask("carol", "post", f"/approvals/{row.public_id}/approve/")
    assert late.status_code == 409


def test_the_rules_are_changed_by_the_owner_and_written_down(ask: Ask, cast: Cast, acme: Acme) -> None:
    both = ("organization:write",)
    assert ask("alice", "get", "/approval-rules/", scopes=("organization:read",)).json() == {
        "approval_seconds": 900,
        "self_approval": None,
    }
    rules = {"approval_seconds": 1_800, "self_approval": False}
    assert ask("dave", "patch", "/approval-rules/", rules, scopes=both).status_code == 403
    assert ask("alice", "patch", "/approval-rules/", rules, scopes=("organization:read",)).status_code == 403
    assert ask("nobody", "patch", "/approval-rules/", rules).status_code == 401
    for name, bad in (("approval_seconds", 1), ("approval_seconds", "900"), ("self_approval", "no")):
        wrong = ask("alice", "patch", "/approval-rules/", {name: bad}, scopes=both)
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, f"/{name}")
    assert ask("alice", "patch", "/approval-rules/", rules, scopes=both).json() == rules
    with inside(cast.alice):
        organization = Organization.objects.get()
        assert (organization.approval_seconds, organization.self_approval) == (1_800, False)
        assert AuditEvent.objects.filter(verb="approval_rules.changed").count() == 1


@pytest.mark.parametrize("verb", ["approve", "decline"])
def test_a_repeated_answer_holds_no_arguments_and_none_are_kept_for_it(
    verb: str, row: Approval, cast: Cast
) -> None:
    headers = {
        "Authorization": f"Bearer {key_whatever_the_role(cast.carol, WRITES)}",
        "Idempotency-Key": "answer-1",
    }

    def send() -> Any:
        return Client().post(
            f"/api/v1/approvals/{row.public_id}/{verb}/",
            data="{}",
            content_type="application/json",
            headers=headers,
        )

    first = send()
    assert "s3cret-user" in first.json()["arguments_json"]
    with inside(cast.carol):
        assert "s3cret-user" not in IdempotentAnswer.objects.get(key="answer-1").body
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.carol.pk).update(role="viewer")
    again = send()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json() | {"arguments_json": None}
