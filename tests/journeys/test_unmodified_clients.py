"""Unmodified SDKs of both generations, in front of our own server and of one nobody here wrote.

Everything is set up over the REST API, with the key that `bootstrap` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.servers.start import RunningToy, running_toy
from tests.foreign import drive, running_awslabs_iam
from tests.journeys.api import Api, gateway_status, wait_until
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

CLIENTS = ("mcp-1x", "mcp-2x")
LOOK = [["initialize"], ["list_tools"]]
LIMIT = {"counter": "create_access_key_rate", "window": "minute", "max": 30, "scope": "grant"}
POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_user"],
    "tools": {"create_access_key": {"limits": [LIMIT]}},
}


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


@pytest.mark.parametrize("client", CLIENTS)
def test_the_rule_holds_on_every_call_of_an_unmodified_client(
    client: str, api: Api, toy: RunningToy, guarded: tuple[dict[str, Any], str]
) -> None:
    server, policy = guarded
    grant = api.grant(server, policy, client)
    before = len(toy.calls())
    create: list[Any] = ["call_tool", "create_access_key", {"user_name": client}]
    steps = [
        ["initialize"],
        ["list_tools"],
        *[create] * 31,
        ["call_tool", "list_users", {}],
        ["call_tool", "delete_user", {}],
    ]
    _, listed, *calls = drive(client, grant["gateway_url"], grant["token"], steps)
    names = {tool["name"] for tool in listed["result"]}
    assert "create_access_key" in names
    assert not names & {"delete_user", "list_users"}
    assert [call["result"].get("isError", False) for call in calls] == [False] * 30 + [True] * 3
    assert [_decision(call)["code"] for call in calls[30:]] == [
        "limit_exceeded",
        "not_available",
        "not_available",
    ]
    assert 1 <= _decision(calls[30])["retry_after_seconds"] <= 60
    assert len(toy.calls()) - before == 30
    logged = api.decisions(33, f"&grant={grant['id']}")
    assert [record["code"] for record in logged[:3]] == ["hidden", "default_deny", "limit_exceeded"]
    assert logged[2]["rule"] == "/tools/create_access_key/limits/0"
    assert [record["outcome"] for record in logged[3:33]] == ["allow"] * 30


@pytest.mark.parametrize("client", CLIENTS)
def test_a_revoked_grant_stops_the_client(client: str, api: Api, guarded: tuple[dict[str, Any], str]) -> None:
    server, policy = guarded
    grant = api.grant(server, policy, f"{client} for a moment")
    (_, before) = drive(client, grant["gateway_url"], grant["token"], LOOK)
    assert before["ok"]
    api.ask("POST", f"/grants/{grant['id']}/revoke/", {})
    wait_until(lambda: gateway_status(grant) == 401, "the grant went on working", seconds=5)
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
        assert [tool["name"] for tool in listed["result"]] == ["create_access_key"]
        # The server itself answers: without an account it fails, in its own words and not in ours.
        assert "policylayer/decision" not in reached["result"].get("_meta", {})
        assert _decision(denied)["code"] == "not_available"
        logged = api.decisions(2, f"&grant={grant['id']}")
        assert [record["outcome"] for record in logged[:2]] == ["deny", "allow"]
