"""Webhooks from a shell: every verb, for whom, and what arrives at a real receiver."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from approvals.models import Notice, Webhook
from approvals.webhooks import signed_headers
from policies.services import publish_policy
from tests.approvals.test_notices import Receiver, deliver_due, receiving
from tests.cast import Acme, Cast, confirm, inside
from tests.roles import as_worker

Ask = Callable[..., Any]
URL = "https://hooks.example/acme"


@pytest.fixture
def ask(cast: Cast, api_key: Callable[..., str]) -> Ask:
    keys = {
        "alice": api_key(cast.alice, "webhooks:write"),
        "reader": api_key(cast.alice, "webhooks:read"),
        "other": api_key(cast.alice, "logs:read"),
        "mallory": api_key(cast.mallory, "webhooks:write"),
    }
    confirm(cast.alice)

    def send(method: str, path: str, body: Any = None, who: str = "alice", **headers: str) -> Any:
        client = Client(headers={"Authorization": f"Bearer {keys[who]}"} if who in keys else {})
        sent = {"data": json.dumps(body or {}), "content_type": "application/json"} if method != "get" else {}
        return getattr(client, method)(f"/api/v1{path}", **sent, headers=headers)

    return send


@pytest.fixture
def path(ask: Ask) -> str:
    return f"/webhooks/{ask('post', '/webhooks/', {'url': URL}).json()['id']}/"


def signed_by(receiver: Receiver, secrets: list[str]) -> bool:
    headers, body = receiver.requests[-1]
    stamp = int(headers["webhook-timestamp"])
    right = signed_headers(headers["webhook-id"], stamp, body, *secrets)
    return right["webhook-signature"] == headers["webhook-signature"]


def test_a_webhook_is_added_read_changed_and_removed(ask: Ask, cast: Cast) -> None:
    added = ask("post", "/webhooks/", {"url": URL})
    made = added.json()
    assert (added.status_code, added.headers["Cache-Control"]) == (201, "no-store")
    assert made["secret"].startswith("whsec_") and made["enabled"] is True
    path = f"/webhooks/{made['id']}/"
    assert ask("get", path).json() == {name: made[name] for name in made if name != "secret"}
    assert [row["id"] for row in ask("get", "/webhooks/?enabled=true").json()["results"]] == [made["id"]]
    off = ask("patch", path, {"enabled": False}).json()
    assert off["enabled"] is False and off["disabled_at"]
    assert ask("get", "/webhooks/?enabled=true").json()["results"] == []
    assert ask("post", f"{path}test/").json()["code"] == "conflict"
    assert ask("patch", path, {"enabled": True, "url": f"{URL}/b"}).json()["url"] == f"{URL}/b"
    assert ask("delete", path).status_code == 204
    assert ask("get", path).status_code == 404
    with inside(cast.alice):
        verbs = list(AuditEvent.objects.filter(verb__startswith="webhook.").values_list("verb", flat=True))
    assert sorted(verbs) == ["webhook.added", *["webhook.changed"] * 2, "webhook.removed"]


def test_what_is_wrong_with_an_address_is_said_at_its_field(ask: Ask, path: str) -> None:
    for bad in ("", "ftp://x", "https://u:p@host/", "x" * 3000, 7, None):
        for method, at in (("post", "/webhooks/"), ("patch", path)):
            answer = ask(method, at, {"url": bad})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/url"), (method, bad)
    assert ask("patch", path, {"enabled": "yes"}).json()["errors"][0]["pointer"] == "/enabled"
    assert ask("patch", path, {"events": []}).json()["errors"][0]["pointer"] == "/events"


def test_who_may_do_what(ask: Ask, path: str, cast: Cast, signed_in: Callable[..., Client]) -> None:
    for method, at in (
        *(("get", path), ("patch", path), ("delete", path), ("get", f"{path}deliveries/")),
        *(("post", f"{path}test/"), ("post", f"{path}rotate-secret/")),
    ):
        assert ask(method, at, who="mallory").status_code == 404
        assert ask(method, at, who="nobody").status_code == 401
        assert ask(method, at, who="other").status_code == 403
        assert ask(method, at, who="reader").status_code == (200 if method == "get" else 403)
    for member in (cast.bob, cast.carol):
        assert signed_in(member).get(f"/api/v1{path}").status_code == 403
        assert signed_in(member).get("/api/v1/webhooks/").status_code == 403
    assert signed_in(cast.dave).get(f"/api/v1{path}").status_code == 200
    assert ask("put", path).status_code == 405
    assert ask("get", "/webhooks/srv_" + "0" * 26 + "/").status_code == 404


def test_until_the_address_is_confirmed_nothing_is_added(
    ask: Ask, api_key: Callable[..., str], cast: Cast
) -> None:
    assert "Confirm your e-mail" in ask("post", "/webhooks/", {"url": URL}, who="mallory").json()["detail"]


def test_a_secret_is_not_kept_for_a_second_answer(ask: Ask) -> None:
    first = ask("post", "/webhooks/", {"url": URL}, **{"Idempotency-Key": "one"}).json()
    again = ask("post", "/webhooks/", {"url": URL}, **{"Idempotency-Key": "one"}).json()
    assert again == {**first, "secret": None}


def test_both_secrets_sign_for_a_day_and_then_the_new_one_alone(ask: Ask, acme: Acme, cast: Cast) -> None:
    with receiving() as receiver:
        made = ask("post", "/webhooks/", {"url": receiver.url}).json()
        path = f"/webhooks/{made['id']}/"
        rotated = ask("post", f"{path}rotate-secret/").json()
        assert rotated["secret"] != made["secret"]
        ask("post", f"{path}test/")
        deliver_due()
        assert signed_by(receiver, [rotated["secret"], made["secret"]])
        with inside(cast.alice):
            Webhook.objects.update(earlier_until=timezone.now() - timedelta(seconds=1))
        ask("post", f"{path}test/")
        deliver_due()
        assert signed_by(receiver, [rotated["secret"]])


def test_a_message_that_was_given_up_is_sent_again_under_its_id(ask: Ask, acme: Acme, cast: Cast) -> None:
    with receiving() as receiver:
        receiver.status = 410
        path = f"/webhooks/{ask('post', '/webhooks/', {'url': receiver.url}).json()['id']}/"
        with inside(cast.alice):
            publish_policy(cast.alice, acme.policy)
        (waiting,) = ask("get", f"{path}deliveries/").json()["results"]
        again = f"{path}deliveries/{waiting['id']}/redeliver/"
        assert (waiting["type"], waiting["state"]) == ("policy.published", "waiting")
        assert waiting["next_try_at"] and ask("post", again).json()["code"] == "conflict"
        deliver_due()
        (failed,) = ask("get", f"{path}deliveries/?state=failed").json()["results"]
        assert (failed["status"], failed["attempts"], failed["next_try_at"]) == (410, 1, None)
        assert "switched off" in ask("post", again).json()["detail"]
        ask("patch", path, {"enabled": True})
        receiver.status = 200
        assert ask("post", again, who="reader").status_code == 403
        assert ask("post", again, who="mallory").status_code == 404
        assert ask("post", again).status_code == 202
        deliver_due()
        (sent,) = ask("get", f"{path}deliveries/").json()["results"]
        assert (sent["state"], sent["status"], sent["attempts"]) == ("sent", 200, 1)
    first, second = ((headers["webhook-id"], body) for headers, body in receiver.requests)
    assert first == second and first[0] == waiting["id"]
    assert ask("post", f"{path}deliveries/msg_{'0' * 26}/redeliver/").status_code == 404


def test_an_application_changes_nothing_of_what_a_message_says(ask: Ask, path: str, cast: Cast) -> None:
    from django.db import ProgrammingError, transaction

    ask("post", f"{path}test/")
    with inside(cast.alice):
        for name, value in (("data", {"x": 1}), ("kind", "policy.published"), ("status", 200)):
            with pytest.raises(ProgrammingError), transaction.atomic():
                Notice.objects.update(**{name: value})


def test_nobody_whose_address_is_not_confirmed_sends_a_webhook_elsewhere(
    ask: Ask, path: str, cast: Cast
) -> None:
    """Changing the address of a webhook is as good as adding one."""
    EmailAddress.objects.filter(user=cast.alice.user).update(verified=False)
    refused = ask("patch", path, {"url": "https://elsewhere.example/"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    same = {"url": ask("get", path).json()["url"], "enabled": False}
    assert ask("patch", path, same).status_code == 200
    confirm(cast.alice)
    assert ask("patch", path, {"url": "https://elsewhere.example/"}).status_code == 200


def test_whoever_tests_too_often_is_told_when_to_do_it_again(
    ask: Ask, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert ask("post", f"{path}test/").status_code == 202
    refused = ask("post", f"{path}test/")
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    later = timezone.now() + timedelta(seconds=int(refused.headers["Retry-After"]))
    monkeypatch.setattr("approvals.webhooks.timezone.now", lambda: later)
    assert ask("post", f"{path}test/").status_code == 202


def test_a_message_that_is_sent_once_more_tells_nothing_of_the_time_before(ask: Ask, path: str) -> None:
    sent = ask("post", f"{path}test/").json()
    with as_worker():
        Notice.objects.update(state="failed", attempts=1, error="refused", ended_at=timezone.now())
    again = ask("post", f"{path}deliveries/{sent['id']}/redeliver/").json()
    assert (again["state"], again["attempts"], again["status"], again["error"]) == ("waiting", 0, None, "")


def test_every_message_stands_in_the_reference_of_the_site_and_in_the_documentation(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    written = (Path(__file__).parents[2] / "docs" / "user" / "webhooks.md").read_text()
    kinds = [kind.value for kind in Notice.Kind if kind is not Notice.Kind.REMINDER]
    assert kinds and all(f'"mono">{kind}<' in page and f"| `{kind}` |" in written for kind in kinds)
    for said in ("whsec_", "webhook-id", "webhook-timestamp", "webhook-signature", "HMAC-SHA256", "410"):
        assert said in page and said in written
