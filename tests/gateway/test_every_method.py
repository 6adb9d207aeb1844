"""Every method of every revision, under a policy that allows, one that denies and one that hides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.methods import MODERN, REVISIONS, verdict_of
from tests.contracts.methods import load
from tests.gateway.raw_http import Answer, Client, Conversation, Upstream
from tests.gateway.world import World, world

FACTS = load()
POLICIES = {
    "allow": '{"version": "1", "default": "allow"}',
    "deny": '{"version": "1", "default": "deny"}',
    "deny by name": """{"version": "1", "default": "allow", "tools": {"read_file": {"action": "deny"}},
        "resources": {"default": "deny"}, "prompts": {"default": "deny"}}""",
    "hide": '{"version": "1", "default": "allow", "hide": ["*"]}',
}
LISTED = {"allow": ["read_file"], "deny": [], "deny by name": ["read_file"], "hide": []}
TOOL = {"tools/call"}
OTHERS = {
    "completion/complete",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
}
STOPPED = {"allow": set[str](), "deny": TOOL | OTHERS, "deny by name": TOOL | OTHERS, "hide": TOOL}
# A task id is valid only as this grant was given it, and nobody knows whose the tasks in a list are.
REFUSED = {"tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "notifications/tasks/status"}
VALUES: dict[str, Any] = {
    "argument": {"name": "a", "value": "b"},
    "arguments": {},
    "capabilities": {},
    "clientInfo": {"name": "alice", "version": "1"},
    "level": "info",
    "name": "read_file",
    "notifications": {"resourceSubscriptions": ["file:///a"]},
    "progress": 1,
    "progressToken": 1,
    "protocolVersion": "2025-11-25",
    "ref": {"type": "ref/prompt", "name": "greet"},
    "requestId": 1,
    "taskId": "t",
    "uri": "file:///a",
}


async def send(
    client: Client, name: str, required: list[str], revision: str, *, notification: bool
) -> Answer:
    params = {key: VALUES.get(key, "x") for key in (one[:-1] for one in required if one.endswith("!"))}
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": name, "params": params}
    if not notification:
        message["id"] = 1
    if revision not in MODERN:
        return await client.post(message, mcp_protocol_version=revision)
    params["_meta"] = {"io.modelcontextprotocol/protocolVersion": revision}
    named = params.get("uri") if name == "resources/read" else params.get("name")
    headers = {"mcp_name": str(named)} if named else {}
    return await client.post(message, mcp_protocol_version=revision, mcp_method=name, **headers)


async def forwarded(it: World, client: Client, name: str, *given: Any, **how: Any) -> tuple[int, Answer]:
    before = len(it.upstream.received)
    answer = await send(client, name, *given, **how)
    return len(it.upstream.received) - before, answer


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("policy", POLICIES)
async def test_every_method_of_a_client_has_its_verdict(tmp_path: Path, policy: str, revision: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=POLICIES[policy])
        for group in ("client_requests", "client_notifications"):
            notification = group == "client_notifications"
            for name, params in FACTS[revision][group].items():
                before = len(it.log.decisions)
                sent, answer = await forwarded(it, alice, name, params, revision, notification=notification)
                stopped = name in STOPPED[policy] | REFUSED
                assert sent == (not stopped), (name, answer)
                # What is judged is in the log, whatever the outcome; the rest is not the policy's concern.
                judged = [one.outcome for one in it.log.decisions[before:]]
                assert judged == ["deny" if stopped else "allow"] * (name in TOOL | OTHERS), name
                if judged == ["deny"]:
                    assert b"[POLICY DENIED]" in answer.body, name
                assert answer.status in ((200, 202) if name not in REFUSED else (200, 400)), (name, answer)


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("policy", POLICIES)
async def test_tools_are_listed_as_the_policy_says_in_every_revision(
    tmp_path: Path, policy: str, revision: str
) -> None:
    async def lists(conversation: Conversation) -> None:
        conversation.result({"tools": [{"name": "read_file"}, {"name": "never scanned"}]})

    async with world(tmp_path, upstream=Upstream(lists)) as it, it.client() as alice:
        it.reconfigure(document=POLICIES[policy])
        answer = await send(alice, "tools/list", [], revision, notification=False)
        assert [tool["name"] for tool in answer.json["result"]["tools"]] == LISTED[policy]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_no_method_of_a_server_is_taken_from_a_client(tmp_path: Path, revision: str) -> None:
    async with world(tmp_path) as it, it.client() as mallory:
        it.reconfigure(document=POLICIES["allow"])
        found = FACTS[revision]
        of_clients = found["client_requests"].keys() | found["client_notifications"].keys()
        for group in found.keys() - {"client_requests", "client_notifications"}:
            for name in found[group].keys() - of_clients:
                for notification in (False, True):
                    sent, _ = await forwarded(it, mallory, name, [], revision, notification=notification)
                    assert not sent, name


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
async def test_an_unknown_method_is_never_forwarded(tmp_path: Path, revision: str) -> None:
    other = {
        name
        for one, found in FACTS.items()
        if (one in MODERN) is not (revision in MODERN)
        for name in found["client_requests"]
    } - FACTS[revision]["client_requests"].keys()
    other = {
        name for name in other if verdict_of(name, notification=False, modern=revision in MODERN) == "refuse"
    }
    async with world(tmp_path) as it, it.client() as mallory:
        it.reconfigure(document=POLICIES["allow"])
        for name in (
            *other,
            "tools/Call",
            "tools/call/",
            " tools/call",
            "rpc.discover",
            "x",
            "tools/destroy",
        ):
            sent, answer = await forwarded(it, mallory, name, [], revision, notification=False)
            assert sent == 0
            assert answer.json["error"]["code"] in (-32601, -32020), (name, answer)
        assert not it.log.decisions
