"""Rules for all API requests: sent twice, based on an old version, sent too often, spelt wrongly."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import IdempotentAnswer
from policies.models import Grant
from servers.models import Server
from tests.cast import Acme, Cast, inside

Call = Callable[..., Any]
SERVER = {"name": "Payments", "upstream_url": "https://mcp.example.com/mcp"}
AT_ONCE = 20


@pytest.fixture
def call(cast: Cast, api_key: Callable[..., str]) -> Call:
    token = api_key(cast.alice)

    def ask(method: str, path: str, body: Any = None, *, key: str = token, **headers: str) -> Any:
        return getattr(Client(), method)(
            f"/api/v1{path}",
            **({} if method == "get" else {"data": json.dumps(body), "content_type": "application/json"}),
            headers={
                "Authorization": f"Bearer {key}",
                **{name.replace("_", "-"): said for name, said in headers.items()},
            },
        )

    return ask


def kind_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_post_that_is_sent_again_has_one_effect_and_the_same_answer(call: Call, cast: Cast) -> None:
    first = call("post", "/servers/", SERVER, Idempotency_Key="one")
    again = call("post", "/servers/", SERVER, Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["ETag"] == again.headers["ETag"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    with inside(cast.alice):
        assert Server.objects.count() == 1


def test_another_request_under_the_same_key_is_refused(call: Call) -> None:
    call("post", "/servers/", SERVER, Idempotency_Key="one")
    other = call("post", "/servers/", {**SERVER, "name": "Ledger"}, Idempotency_Key="one")
    assert kind_of(other) == (422, "key_reused")


def test_a_request_that_was_refused_may_be_mended_under_the_same_key(call: Call) -> None:
    assert call("post", "/servers/", {**SERVER, "name": ""}, Idempotency_Key="one").status_code == 400
    assert call("post", "/servers/", SERVER, Idempotency_Key="one").status_code == 201


def test_an_idempotency_key_is_new_again_after_a_day(cast: Cast, call: Call) -> None:
    assert call("post", "/servers/", SERVER, Idempotency_Key="one").status_code == 201
    with inside(cast.alice):
        IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    again = call("post", "/servers/", {**SERVER, "name": "Another"}, Idempotency_Key="one")
    assert again.status_code == 201 and again.json()["name"] == "Another"
    with inside(cast.alice):
        assert IdempotentAnswer.objects.count() == 1


def test_keys_of_one_asker_are_nothing_to_another(
    call: Call, cast: Cast, api_key: Callable[..., str]
) -> None:
    mine = call("post", "/servers/", SERVER, Idempotency_Key="one").json()
    theirs = call("post", "/servers/", SERVER, Idempotency_Key="one", key=api_key(cast.mallory)).json()
    daves = call("post", "/servers/", {**SERVER, "name": "B"}, Idempotency_Key="one", key=api_key(cast.dave))
    assert mine["id"] != theirs["id"]
    assert daves.status_code == 201


def test_a_token_is_not_kept_for_the_second_answer(call: Call, acme: Acme, cast: Cast) -> None:
    body = {"server": acme.server.public_id, "policy": acme.policy.public_id, "label": "ci"}
    first = call("post", "/grants/", body, Idempotency_Key="one").json()
    again = call("post", "/grants/", body, Idempotency_Key="one").json()
    assert first["token"].startswith("plg_")
    assert again == {**first, "token": None}
    with inside(cast.alice):
        assert Grant.objects.filter(label="ci").count() == 1
        assert first["token"] not in IdempotentAnswer.objects.get().body


def test_answers_to_questions_are_not_kept(call: Call, acme: Acme, cast: Cast) -> None:
    for question in ("lint", "effects", "diff"):
        path = f"/policies/{acme.policy.public_id}/{question}/"
        assert call("post", path, {}, Idempotency_Key="one").status_code == 200
    with inside(cast.alice):
        assert not IdempotentAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256])
def test_a_key_that_is_none_is_refused(call: Call, key: str) -> None:
    assert kind_of(call("post", "/servers/", SERVER, Idempotency_Key=key)) == (400, "invalid_input")


@pytest.mark.parametrize("used_just_now", [False, True])
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_under_one_key_have_one_effect(call: Call, cast: Cast, used_just_now: bool) -> None:
    """They must be serialized even if none has to record that the key was used."""
    if used_just_now:
        assert call("get", "/me/").status_code == 200
    begin = threading.Barrier(AT_ONCE)
    came: list[tuple[int, str]] = []

    def send() -> None:
        begin.wait(timeout=60)
        try:
            answer = call("post", "/servers/", SERVER, Idempotency_Key="one")
            came.append((answer.status_code, answer.json()["id"]))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with inside(cast.alice):
        (server,) = Server.objects.all()
    assert Counter(came) == {(201, server.public_id): AT_ONCE}


def test_a_change_needs_the_version_it_changes(call: Call, acme: Acme) -> None:
    for path, body in (
        (f"/servers/{acme.server.public_id}/", {"name": "IAM"}),
        (f"/policies/{acme.policy.public_id}/", {"document": "{}"}),
    ):
        seen = call("get", path).headers["ETag"]
        assert kind_of(call("patch", path, body)) == (428, "precondition_required")
        changed = call("patch", path, body, If_Match=seen)
        assert changed.status_code == 200 and changed.headers["ETag"] != seen
        assert kind_of(call("patch", path, body, If_Match=seen)) == (412, "stale")
        assert kind_of(call("patch", path, body, If_Match="W/x")) == (412, "stale")
        assert call("patch", path, body, If_Match="*").status_code == 200
    server = f"/servers/{acme.server.public_id}/"
    assert call("delete", server).status_code == 428
    assert call("delete", server, If_Match='"1"').status_code == 412
    assert call("delete", server, If_Match=call("get", server).headers["ETag"]).status_code == 204


def test_publishing_may_name_the_draft_it_means(call: Call, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}/"
    seen = call("get", path).headers["ETag"]
    assert call("patch", path, {"document": json.loads(acme.policy.draft)}, If_Match=seen).status_code == 200
    assert kind_of(call("post", f"{path}publish/", {}, If_Match=seen)) == (412, "stale")
    assert call("post", f"{path}publish/", {}).status_code == 200


def test_restoring_replaces_no_draft_that_was_saved_meanwhile(call: Call, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}/"
    revision = call("post", f"{path}publish/", {}).json()["revision"]["id"]
    seen = call("get", path).headers["ETag"]
    meanwhile = json.loads(acme.policy.draft) | {"description": "Somebody is still writing this."}
    now = call("patch", path, {"document": meanwhile}, If_Match=seen)
    draft = now.json()["document"]
    for way, body in ((f"{path}restore/", {"revision": revision}), (f"/revisions/{revision}/restore/", {})):
        assert kind_of(call("post", way, body, If_Match=seen)) == (412, "stale"), way
        assert call("get", path).json()["document"] == draft
    restored = call("post", f"{path}restore/", {"revision": revision}, If_Match=now.headers["ETag"])
    assert restored.json()["revision"]["number"] == 2


def test_a_post_without_the_last_slash_is_done_and_not_turned_into_a_question(call: Call) -> None:
    sent_on = call("post", "/servers", SERVER)
    assert (sent_on.status_code, sent_on.headers["Location"]) == (308, "/api/v1/servers/")


def test_fields_nobody_knows_are_named(call: Call) -> None:
    body = {**SERVER, "colour": "red", "id": "x", "auth": {"kind": "none", "header": {}}}
    answer = call("post", "/servers/", body)
    assert kind_of(answer) == (400, "invalid_input")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/colour", "/id", "/auth/header"}


@override_settings(API_REQUESTS_A_MINUTE=3)
def test_an_answer_that_is_given_again_is_counted_like_any(call: Call, cast: Cast) -> None:
    caches["requests"].clear()
    sent = [call("post", "/servers/", SERVER, Idempotency_Key="one") for _ in range(4)]
    assert [answer.status_code for answer in sent] == [201, 201, 201, 429]
    assert sent[1].headers["RateLimit"].startswith('"requests";r=1;')
    assert kind_of(sent[3]) == (429, "throttled") and int(sent[3].headers["Retry-After"]) > 0
    assert kind_of(call("post", "/servers/", SERVER, Idempotency_Key="a b")) == (429, "throttled")
    with inside(cast.alice):
        assert Server.objects.count() == 1


@override_settings(API_REQUESTS_A_MINUTE=3, API_REQUESTS_A_MINUTE_UNKNOWN=2)
def test_who_asks_too_often_is_told_for_how_long_to_wait(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    caches["requests"].clear()
    now = [600_020.0]
    monkeypatch.setattr("accounts.api.throttling.time.time", lambda: now[0])
    answers = [call("get", "/me/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answers[0].headers["RateLimit"] == '"requests";r=2;t=40'
    assert kind_of(answers[3]) == (429, "throttled")
    assert answers[3].headers["RateLimit"] == '"requests";r=0;t=40'
    assert answers[3].headers["Retry-After"] == "40"
    assert [call("get", "/schema/").status_code for _ in range(2)] == [429, 429]
    strangers = [Client().get("/api/v1/schema/").status_code for _ in range(3)]
    assert strangers == [200, 200, 429]
    now[0] += 40
    assert call("get", "/me/").status_code == 200


@override_settings(API_REQUESTS_A_MINUTE_UNKNOWN=5)
def test_who_is_refused_is_counted_and_told_how_many_requests_are_left(call: Call) -> None:
    caches["requests"].clear()
    stranger = Client()
    sent = [
        stranger.get("/api/v1/servers/"),
        call("get", "/servers/", key="plk_" + "0" * 33),
        stranger.get("/api/v1/no/such/path/"),
        stranger.options("/api/v1/servers/"),
        stranger.post("/api/v1/servers/", "{", content_type="application/json"),
        stranger.get("/api/v1/servers/"),
    ]
    assert [answer.status_code for answer in sent] == [401, 401, 401, 401, 401, 429]
    assert [answer.headers["RateLimit"][:14] for answer in sent[:5]] == [
        f'"requests";r={left}' for left in (4, 3, 2, 1, 0)
    ]
    mine = call("get", "/servers/", Accept="text/html"), call("get", "/no/such/path/")
    assert [answer.status_code for answer in mine] == [406, 404]
    assert all("RateLimit" in answer.headers for answer in mine)


def test_options_and_trace_are_methods_like_any_that_a_path_does_not_answer(call: Call, acme: Acme) -> None:
    """What an API framework reveals about itself there is nobody's business, and the schema says more."""
    for path, methods in (
        ("/servers/", {"GET", "POST", "HEAD"}),
        (f"/policies/{acme.policy.public_id}/publish/", {"POST"}),
        ("/catalog/classify/", {"POST"}),
        ("/schema/", {"GET", "HEAD"}),
    ):
        for method in ("options", "trace"):
            answer = call(method, path)
            assert kind_of(answer) == (405, "method_not_allowed"), (method, path)
            assert set(answer.headers["Allow"].split(", ")) == methods, path


def test_if_match_is_a_list_of_strong_tags(call: Call, acme: Acme) -> None:
    path = f"/servers/{acme.server.public_id}/"
    name = iter(range(100))

    def change(said: str) -> Any:
        return call("patch", path, {"name": f"Server {next(name)}"}, If_Match=said)

    for also in (
        "{seen}",
        '"other", {seen}',
        '{seen},"a,b"',
        ' , {seen} , W/"1"',
        '"",{seen},',
        "\t{seen}\t",
        "*",
        " * ",
    ):
        seen = call("get", path).headers["ETag"]
        assert change(also.format(seen=seen)).status_code == 200, also
    seen = call("get", path).headers["ETag"]
    for never in (
        f"W/{seen}",
        f'W/{seen}, "other"',
        '"*"',
        seen.strip('"'),
        f'"x {seen}',
        f"{seen} {seen}",
        f"*, {seen}",
        f"w/{seen}",
        "",
        ",",
        f'"{seen}"',
    ):
        assert kind_of(change(never)) == (412, "stale"), never
    tests = f"/policies/{acme.policy.public_id}/tests/"
    seen = call("get", tests).headers["ETag"]
    for said, status in ((f"W/{seen}", 412), (f'"x", {seen}', 200), ("*", 200)):
        assert call("put", tests, {"tests": []}, If_Match=said).status_code == status, said


@pytest.mark.parametrize("said", ["2027-01-01", "2027-01-01T08:00:00", "tomorrow", "2027-02-30T08:00:00Z"])
def test_a_moment_without_its_zone_is_refused_rather_than_guessed(call: Call, said: str) -> None:
    errors = call("post", "/grants/", {"label": "Agent", "expires_at": said}).json()["errors"]
    said_of = {one["pointer"]: one["message"] for one in errors}
    assert said_of["/expires_at"] == "Write date, time and zone: 2026-01-31T08:00:00Z."


def test_what_is_asked_wrongly_is_answered_with_what_would_be_right(call: Call) -> None:
    assert (
        call("put", "/servers/", {}).json()["detail"].startswith("PUT is not available here; available: GET,")
    )
    errors = call("post", "/servers/", ["x"]).json()["errors"]
    assert errors == [{"pointer": "", "message": "Send one JSON object."}]
    assert "Authorization: Bearer plk_" in Client().get("/api/v1/me/").json()["detail"]
