"""Diff, tests and conversion of policies, and figures of the log, over REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client

from gateway.admitted import Asker
from gateway.effects import Record
from gateway.pipeline import tools_call
from policies.language.compile import compile_policy
from policies.language.decision import ToolCall
from policies.language.parse import parse_policy
from policies.services import publish_policy
from tests.cast import POLICY, Acme, Cast, inside

Ask = Callable[..., Any]
LOOSER = POLICY.replace('"max": 30', '"max": 300')
FAQ = '{"version": "1", "default": "deny", "tools": {"create_access_key": {"rate_limit": "30/minute"}}}'


@pytest.fixture
def ask(cast: Cast, api_key: Callable[..., str]) -> Ask:
    keys = {name: api_key(cast.everyone()[name]) for name in ("alice", "dave", "mallory")}

    def send(who: str, method: str, path: str, body: Any = None) -> Any:
        client = Client(headers={"Authorization": f"Bearer {keys[who]}"} if who in keys else {})
        sent = {} if method == "get" else {"data": json.dumps(body or {}), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", **sent, headers={"If-Match": "*"})

    return send


def test_a_diff_says_what_publishing_would_change(ask: Ask, cast: Cast, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}/diff/"
    first = ask("alice", "post", path).json()
    assert first["becomes_callable"] == ["create_access_key"]
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    same = ask("alice", "post", path).json()
    assert (same["looser"], same["tighter"]) == ([], [])
    looser = ask("alice", "post", path, {"document": LOOSER}).json()
    assert [change["tools"] for change in looser["looser"]] == [["create_access_key"]]
    assert "300" in looser["looser"][0]["sentence"]
    broken = ask("alice", "post", path, {"document": "{"})
    assert (broken.status_code, broken.json()["code"]) == (422, "invalid_policy")
    assert ask("mallory", "post", path).status_code == 404
    assert ask("nobody", "post", path).status_code == 401
    assert ask("alice", "get", path).status_code == 405


def test_a_call_is_decided_by_its_tools_very_name(ask: Ask, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}/decide/"
    asked = {"tool": "create_access_key", "arguments": {}}
    assert ask("alice", "post", path, asked).json()["outcome"] == "allow"
    for name in (" create_access_key", "create_access_key\n"):
        assert ask("alice", "post", path, asked | {"tool": name}).json()["rule"] == "(default deny)"


def test_a_call_that_a_gateway_denies_all_the_same_is_said_to_be(ask: Ask, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}/decide/"
    rule = {"deny_if": [{"conditions": [{"path": "args.user", "op": "eq", "value": "root"}]}]}
    document = {"version": "1", "default": "allow", "tools": {"create_access_key": rule}}

    def refused(tool: str, **arguments: str) -> tuple[str, str | None]:
        asked = {"document": document, "tool": tool, "arguments": arguments}
        answer = ask("alice", "post", path, asked).json()
        return answer["outcome"], answer["refused_by_gateway"]

    assert refused("create_access_key", user="ada", name="x") == ("allow", None)
    assert refused("create_access_key", user="root", User="x") == ("deny", None)
    outcome, told = refused("create_access_key", user="ada", User="root")
    assert outcome == "allow" and "its name differs by case" in str(told)
    assert refused("never_listed") == ("allow", "No tool named never_listed is available here.")


ONLY_ONE = {"require": [{"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}]}


@pytest.mark.parametrize(
    ("policy", "arguments", "told"),
    [
        ({"tools": {"del_*": {"action": "deny", "reason": "ask Bob"}}}, {}, True),
        ({"tools": {"del_*": ONLY_ONE}}, {}, True),
        ({"tools": {"del_*": {}}}, [], True),
        ({"tools": {"del_x": {"action": "deny", "reason": "ask Bob"}}}, {}, False),
        ({"tools": {"del_*": {}}, "hide": ["del_x"]}, {}, False),
        ({"tools": {}}, {}, False),
    ],
)
def test_a_denied_call_of_an_unlisted_tool_reads_what_the_gateway_answers(
    ask: Ask, acme: Acme, policy: dict[str, Any], arguments: Any, told: bool
) -> None:
    document = {"version": "1", "default": "deny", **policy}
    asked = {"document": document, "tool": "del_x", "arguments": arguments}
    answer = ask("alice", "post", f"/policies/{acme.policy.public_id}/decide/", asked).json()
    compiled = compile_policy(parse_policy(json.dumps(document)), [])
    asker = Asker("acme", "files", "grant-1", compiled, tools=set())
    recorded = next(tools_call(asker, ToolCall("del_x", arguments), "d1"))
    assert isinstance(recorded, Record)
    assert answer["outcome"] == "deny"
    assert (answer["refused_by_gateway"] or answer["reason"]) == recorded.ruling.reason
    assert (answer["refused_by_gateway"] is not None) is told


def test_tests_are_kept_run_and_block_publishing(ask: Ask, acme: Acme) -> None:
    path = f"/policies/{acme.policy.public_id}"
    assert ask("alice", "get", f"{path}/tests/").json() == {"tests": [], "results": []}
    wrong = {"name": "users stay", "call": {"tool": "delete_user"}, "expect": "allow"}
    kept = ask("alice", "put", f"{path}/tests/", {"tests": [wrong]}).json()
    assert [(one["name"], one["passed"]) for one in kept["results"]] == [("users stay", False)]
    assert ask("alice", "post", f"{path}/publish/").status_code == 422
    right = {**wrong, "expect": "deny"}
    assert ask("alice", "put", f"{path}/tests/", {"tests": [right]}).json()["results"][0]["passed"] is True
    assert ask("alice", "post", f"{path}/publish/").status_code == 200
    for bad in ([{"name": 1}], [right, right]):
        assert ask("alice", "put", f"{path}/tests/", {"tests": bad}).status_code in {400, 422}
    assert ask("alice", "put", f"{path}/tests/", {"tests": "x"}).json()["errors"][0]["pointer"] == "/tests"
    assert ask("mallory", "put", f"{path}/tests/", {"tests": []}).status_code == 404
    assert ask("nobody", "get", f"{path}/tests/").status_code == 401


def test_tests_that_somebody_changed_meanwhile_are_not_written_over(
    cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.alice)}"})
    path = f"/api/v1/policies/{acme.policy.public_id}/tests/"
    body = {"tests": [{"name": "users stay", "call": {"tool": "delete_user"}, "expect": "deny"}]}
    put = partial(client.put, path, body, content_type="application/json")
    seen = client.get(path).headers["ETag"]
    assert put().status_code == 428
    kept = put(headers={"If-Match": seen})
    assert kept.status_code == 200 and kept.headers["ETag"] == client.get(path).headers["ETag"] != seen
    for old in (seen, "W/x", '"1"'):
        assert put(headers={"If-Match": old}).json()["code"] == "stale"


def test_numbers_of_a_test_keep_their_spelling(cast: Cast, acme: Acme, api_key: Callable[..., str]) -> None:
    test = '{"name": "n", "call": {"tool": "delete_user", "arguments": {"n": 0.10}}, "expect": "deny"}'
    answer = Client(headers={"Authorization": f"Bearer {api_key(cast.alice)}"}).put(
        f"/api/v1/policies/{acme.policy.public_id}/tests/",
        f'{{"tests": [{test}]}}',
        "application/json",
        headers={"If-Match": "*"},
    )
    assert answer.status_code == 200
    with inside(cast.alice):
        acme.policy.refresh_from_db()
    assert "0.10" in acme.policy.tests


def test_another_dialect_is_converted_with_its_report(ask: Ask, acme: Acme) -> None:
    made = ask("alice", "post", "/policies/convert/", {"text": POLICY}).json()
    assert (made["dialect"], made["problems"]) == ("canonical", [])
    broken = ask("alice", "post", "/policies/convert/", {"text": "{"}).json()
    assert broken["policy"] is None and broken["problems"]
    with_tools = {"text": FAQ, "server": acme.server.public_id}
    assert ask("alice", "post", "/policies/convert/", with_tools).status_code == 200
    assert ask("mallory", "post", "/policies/convert/", with_tools).status_code == 404
    assert ask("nobody", "post", "/policies/convert/", {"text": POLICY}).status_code == 401
    assert ask("alice", "post", "/policies/convert/", {}).json()["errors"][0]["pointer"] == "/text"


def test_figures_of_the_log_are_counts_over_a_period(ask: Ask, acme: Acme) -> None:
    for period, buckets in (("hour", 60), ("day", 24), ("month", 30)):
        stats = ask("alice", "get", f"/decisions/stats/?period={period}").json()
        assert len(stats["outcomes"]) == buckets
        assert stats["added_ms"] is None and stats["top_tools"] == []
    assert ask("alice", "get", "/decisions/stats/?period=ever").status_code == 400
    assert ask("nobody", "get", "/decisions/stats/").status_code == 401


def test_a_token_is_rotated_and_the_old_one_named_in_no_answer(ask: Ask, acme: Acme) -> None:
    path = f"/grants/{acme.grant.public_id}"
    rotated = ask("alice", "post", f"{path}/rotate/", {"overlap_seconds": 600})
    assert rotated.status_code == 200 and rotated.headers["Cache-Control"] == "no-store"
    token = rotated.json()["token"]
    assert token.startswith("plg_") and token != acme.token
    assert "token" not in ask("alice", "get", f"{path}/").json()
    for bad in (-1, "soon", 10**9):
        answer = ask("alice", "post", f"{path}/rotate/", {"overlap_seconds": bad})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/overlap_seconds"), bad
    assert ask("mallory", "post", f"{path}/rotate/").status_code == 404
    assert ask("nobody", "post", f"{path}/rotate/").status_code == 401
    assert ask("alice", "get", f"{path}/rotate/").status_code == 405
