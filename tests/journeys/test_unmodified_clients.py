"""Unmodified clients of every kind and generation call our own server and one that we did not write.

Everything is set up over the REST API, with the key that `bootstrap` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.driving import drive, drive_mcp_remote, inspect
from tests.fixtures.servers.start import RunningToy, running_toy
from tests.foreign import running_awslabs_iam
from tests.journeys.api import Api, gateway_status, wait_until
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

CLIENTS = ("mcp-1x", "mcp-2x")
# Each client, its name for how to choose the revision, and the revision it must end up with if it tells.
SPEAKERS = (
    ("mcp-1x", "auto", "2025-11-25"),
    ("mcp-2x", "auto", "2026-07-28"),
    ("mcp-2x", "legacy", "2025-11-25"),
    ("fastmcp-4", "auto", None),
    ("typescript-1x", "auto", None),
    ("typescript-2x", "auto", "2026-07-28"),
    ("typescript-2x", "legacy", "2025-11-25"),
)
LOOK = [["initialize"], ["list_tools"]]
LIMIT = {"counter": "create_access_key_rate", "window": "minute", "max": 30, "scope": "grant"}
POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_user"],
    "tools": {
        "create_access_key": {"limits": [LIMIT]},
        "slow_tool": {},
        "put_user_policy": {"action": "deny", "reason": "Policies are attached by people."},
    },
}

CREATE: list[Any] = ["call_tool", "create_access_key", {"user_name": "agent"}]
STEPS: list[list[Any]] = [
    *LOOK,
    ["call_tool", "slow_tool", {"steps": 3, "seconds": 0.05}],
    *[CREATE] * 31,
    ["call_tool", "list_users", {}],
    ["call_tool", "put_user_policy", {"user_name": "agent"}],
    ["call_tool", "delete_user", {"user_name": "agent"}],
]
PROGRESS = [[step, 3, f"step {step} of 3"] for step in (1, 2, 3)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProduct]:
    with running_product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture(scope="module")
def api(product: RunningProduct) -> Api:
    return Api(product.web, product.bootstrap()["api_key"])


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningToy]:
    with running_toy("--many", record=tmp_path_factory.mktemp("toy") / "arrived.jsonl") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(api: Api, toy: RunningToy) -> tuple[dict[str, Any], str]:
    server = api.register("Toy", toy.url)
    return server, api.publish(server, POLICY)


def _decision(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["result"]["_meta"]["policylayer/decision"]
    return found


@pytest.mark.parametrize(("client", "mode", "revision"), SPEAKERS)
def test_the_rule_holds_on_every_call_of_an_unmodified_client(
    client: str,
    mode: str,
    revision: str | None,
    api: Api,
    toy: RunningToy,
    guarded: tuple[dict[str, Any], str],
) -> None:
    server, policy = guarded
    grant = api.grant(server, policy, f"{client} {mode}")
    before = len(toy.calls())
    met, listed, *calls = drive(client, grant["gateway_url"], grant["token"], STEPS, mode)
    if revision is not None:
        assert met["result"]["protocolVersion"] == revision
    _check_list(listed)
    _check_calls(calls)
    assert len(toy.calls()) - before == 31
    logged = api.decisions(len(calls), f"&grant={grant['id']}")
    assert [record["code"] for record in logged[:4]] == ["hidden", "denied", "default_deny", "limit_exceeded"]
    assert logged[3]["rule"] == "/tools/create_access_key/limits/0"
    assert [record["outcome"] for record in logged[4:35]] == ["allow"] * 31


def test_the_rule_holds_through_the_bridge_for_clients_without_http(
    api: Api, toy: RunningToy, guarded: tuple[dict[str, Any], str]
) -> None:
    server, policy = guarded
    grant = api.grant(server, policy, "mcp-remote")
    before = len(toy.calls())
    _, listed, *calls = drive_mcp_remote(grant["gateway_url"], grant["token"], STEPS)
    _check_list(listed)
    # The bridge passes on a result without waiting for the notification before it.
    _check_calls(calls, progress_seen=2)
    assert len(toy.calls()) - before == 31


def test_the_rule_holds_for_the_inspector(
    api: Api, toy: RunningToy, guarded: tuple[dict[str, Any], str]
) -> None:
    server, _ = guarded
    once: dict[str, Any] = {"counter": "once", "window": "hour", "max": 1, "scope": "grant"}
    tools = POLICY["tools"] | {"create_access_key": {"limits": [once]}}
    policy = api.publish(server, POLICY | {"tools": tools}, name="inspected")
    grant = api.grant(server, policy, "inspector")
    asked, before = (grant["gateway_url"], grant["token"]), len(toy.calls())
    create = ("tools/call", "--tool-name", "create_access_key", "--tool-arg", "user_name=inspector")
    listed, done, limited = inspect(*asked, "tools/list"), inspect(*asked, *create), inspect(*asked, *create)
    assert {tool["name"] for tool in listed.json["tools"]} == set(tools)
    assert done.json["structuredContent"]["user_name"] == "inspector"
    assert limited.json["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"
    denied = inspect(*asked, "tools/call", "--tool-name", "put_user_policy")
    assert denied.json["content"][0]["text"] == "[POLICY DENIED] Policies are attached by people."
    assert [record["tool"] for record in toy.calls()[before:]] == ["create_access_key"]


def _check_list(listed: dict[str, Any]) -> None:
    names = {tool["name"] for tool in listed["result"]}
    assert names == set(POLICY["tools"])


def _check_calls(calls: list[dict[str, Any]], progress_seen: int = 3) -> None:
    counted, *created = calls[:31]
    assert counted["result"]["progress"][:progress_seen] == PROGRESS[:progress_seen]
    assert [call["result"].get("isError", False) for call in [counted, *created]] == [False] * 31
    refused = [call["result"] for call in calls[31:]]
    assert [answer["isError"] for answer in refused] == [True] * 4
    assert [answer["_meta"]["policylayer/decision"]["code"] for answer in refused] == [
        *("limit_exceeded", "not_available", "denied", "not_available")
    ]
    assert 1 <= refused[0]["_meta"]["policylayer/decision"]["retry_after_seconds"] <= 60
    assert refused[2]["content"][0]["text"] == "[POLICY DENIED] Policies are attached by people."


@pytest.mark.parametrize("client", ("mcp-1x", "typescript-2x"))
def test_a_revoked_grant_stops_the_client(client: str, api: Api, guarded: tuple[dict[str, Any], str]) -> None:
    server, policy = guarded
    grant = api.grant(server, policy, f"{client} for a moment")
    (_, before) = drive(client, grant["gateway_url"], grant["token"], LOOK)
    assert before["ok"]
    api.ask("POST", f"/grants/{grant['id']}/revoke/", {})
    wait_until(lambda: gateway_status(grant) == 401, "the grant went on working")
    *_, after = drive(client, grant["gateway_url"], grant["token"], LOOK)
    assert not after["ok"]


def test_an_edit_is_in_force_for_the_next_call(api: Api, guarded: tuple[dict[str, Any], str]) -> None:
    server, _ = guarded
    policy = api.publish(server, {"version": "1", "default": "deny"}, name="edited")
    grant = api.grant(server, policy, "editor")
    call = [["call_tool", "create_access_key", {"user_name": "x"}]]
    assert drive("mcp-2x", grant["gateway_url"], grant["token"], call)[0]["result"]["isError"]
    api.ask("PATCH", f"/policies/{policy}/", {"document": POLICY})
    api.publish_draft(policy)
    (allowed,) = drive("mcp-2x", grant["gateway_url"], grant["token"], call)
    assert not allowed["result"].get("isError", False)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_nobody_here_wrote_is_guarded_as_well(
    client: str, api: Api, product: RunningProduct
) -> None:
    with running_awslabs_iam() as url:
        server = api.register(f"AWS IAM for {client}", url)
        tools = {tool["name"]: tool for tool in api.ask("GET", f"/servers/{server['id']}/tools/")["results"]}
        assert tools["create_access_key"]["class"] == "Write"
        policy = api.publish(server, POLICY)
        grant = api.grant(server, policy, client)
        call: list[Any] = ["call_tool", "create_access_key", {"user_name": "eve"}]
        steps = [["initialize"], ["list_tools"], call, ["call_tool", "list_users", {}]]
        _, listed, reached, denied = drive(client, grant["gateway_url"], grant["token"], steps)
        assert {tool["name"] for tool in listed["result"]} == {"create_access_key", "put_user_policy"}
        # The server itself answers: without an account it fails, in its own words rather than ours.
        assert "policylayer/decision" not in reached["result"].get("_meta", {})
        assert _decision(denied)["code"] == "not_available"
        logged = api.decisions(2, f"&grant={grant['id']}")
        assert [record["outcome"] for record in logged[:2]] == ["deny", "allow"]
