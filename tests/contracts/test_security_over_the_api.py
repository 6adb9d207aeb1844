"""Security settings over the API, which only owners may change; and a scan that is requested twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent
from gateway_config.models import PublishRequest
from servers import waiting
from servers.models import ToolScan
from tests.cast import Acme, Cast, inside

SCOPES = ("organization:write", "servers:write")
Ask = Callable[..., Any]


@pytest.fixture
def ask(cast: Cast, api_key: Callable[..., str]) -> Ask:
    keys = {name: api_key(cast.everyone()[name], *SCOPES) for name in ("alice", "dave")}
    keys["reader"] = api_key(cast.alice, "organization:read")

    def send(method: str, path: str, body: Any = None, who: str = "alice", **headers: str) -> Any:
        client = Client(headers={"Authorization": f"Bearer {keys[who]}"} if who in keys else {})
        sent = {"data": json.dumps(body or {}), "content_type": "application/json"} if method != "get" else {}
        return getattr(client, method)(f"/api/v1{path}", **sent, headers=headers)

    return send


def test_an_owner_changes_what_is_given_and_nothing_else(ask: Ask, cast: Cast) -> None:
    before = ask("get", "/organization/").json()
    changed = ask("patch", "/organization/", {"lease_seconds": 301, "explain_denials": True})
    assert changed.json() == {**before, "lease_seconds": 301, "explain_denials": True}
    both = ask("patch", "/organization/", {"name": "Acme Ltd", "log_retention_days": 7}).json()
    assert (both["name"], both["log_retention_days"], both["lease_seconds"]) == ("Acme Ltd", 7, 301)
    assert ask("patch", "/organization/", {}).json() == both
    with inside(cast.alice):
        event = AuditEvent.objects.filter(verb="security.changed").earliest("at")
        told = PublishRequest.objects.count()
    assert (event.details["lease_seconds"], event.details["before"]["lease_seconds"]) == (301, 86_400)
    assert told >= 2


def test_half_of_a_change_is_no_change(ask: Ask) -> None:
    answer = ask("patch", "/organization/", {"name": "Other", "log_retention_days": 0})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/log_retention_days")
    assert ask("get", "/organization/").json()["name"] == "Acme"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"lease_seconds": 299}, "/lease_seconds"),
        ({"lease_seconds": "3600"}, "/lease_seconds"),
        ({"lease_seconds": True}, "/lease_seconds"),
        ({"log_retention_days": 366}, "/log_retention_days"),
        ({"explain_denials": 1}, "/explain_denials"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(ask: Ask, body: dict[str, object], at: str) -> None:
    answer = ask("patch", "/organization/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, at)


def test_nobody_but_owners_changes_security(ask: Ask, cast: Cast, signed_in: Callable[..., Client]) -> None:
    assert ask("patch", "/organization/", {"lease_seconds": 600}, who="dave").status_code == 403
    assert ask("patch", "/organization/", {"lease_seconds": 600}, who="reader").status_code == 403
    assert ask("patch", "/approval-rules/", {"approval_seconds": 600}, who="dave").status_code == 403
    assert ask("patch", "/organization/", {"lease_seconds": 600}, who="nobody").status_code == 401
    assert signed_in(cast.bob).get("/api/v1/approval-rules/").status_code == 200


def test_the_rules_of_approving_are_read_and_changed(ask: Ask) -> None:
    assert ask("get", "/approval-rules/").json() == {"approval_seconds": 900, "self_approval": None}
    changed = ask("patch", "/approval-rules/", {"self_approval": True}).json()
    assert changed == {"approval_seconds": 900, "self_approval": True}
    assert ask("patch", "/approval-rules/", {"approval_seconds": 60}).json()["self_approval"] is True
    assert ask("patch", "/approval-rules/", {"self_approval": None}).json()["self_approval"] is None
    bad = ask("patch", "/approval-rules/", {"approval_seconds": 59})
    assert bad.json()["errors"][0]["pointer"] == "/approval_seconds"


@pytest.mark.django_db(transaction=True)
def test_a_scan_asked_for_twice_under_one_key_is_one_scan(
    ask: Ask, acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    path = f"/servers/{acme.server.public_id}/scan/"
    answers = [ask("post", path, **{"Idempotency-Key": "one"}) for _ in range(2)]
    first, again = (json.loads(asyncio.run(_read(answer))) for answer in answers)
    assert first == again and first["status"] == "waiting"
    assert "Idempotency-Replayed" not in answers[0].headers
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    with inside(cast.alice):
        assert ToolScan.objects.filter(server=acme.server).count() == 1


async def _read(answer: Any) -> bytes:
    return b"".join([part async for part in answer.streaming_content])
