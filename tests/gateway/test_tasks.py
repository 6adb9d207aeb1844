"""Tasks are bound to the grant and the tool that started them, and of no use to anyone else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from common.tokens import GRANT, new_token
from tests.gateway.raw_http import Answer, Client, Conversation, Upstream
from tests.gateway.world import DOCUMENT, MALLORYS_SERVER, World, world

RAW = "786512e2-raw-task"
RELATED = "io.modelcontextprotocol/related-task"
STATE = {"status": "working", "createdAt": "2026-07-28T00:00:00Z"}


TASKS = "io.modelcontextprotocol/tasks"
DECLARED: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}}}


async def works(conversation: Conversation) -> None:
    """A server that makes a task of every call."""
    message = conversation.request.json
    params, modern = message.get("params", {}), "mcp-method" in conversation.request.headers
    match message.get("method"):
        case "tools/call" if modern:
            conversation.result({"resultType": "task", "taskId": RAW} | STATE)
        case "tools/call":
            conversation.result({"task": {"taskId": RAW} | STATE})
        case "tasks/result":
            meta = {RELATED: {"taskId": params["taskId"]}}
            conversation.result({"content": [{"type": "text", "text": "done"}], "_meta": meta})
        case "tasks/update":
            conversation.result({"resultType": "complete"})
        case str():
            conversation.result({"taskId": params.get("taskId"), "resultType": "complete"} | STATE)
        case _:
            conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


async def say(client: Client, method: str, *, modern: bool = False, **params: Any) -> Answer:
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    if not modern:
        return await client.post(message)
    params["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"} | DECLARED
    named = str(params.get("name", params.get("taskId", "")))
    return await client.post(
        message,
        mcp_protocol_version="2026-07-28",
        mcp_method=method,
        **({"mcp_name": named} if named else {}),
    )


async def begin(client: Client, tool: str = "search", *, modern: bool = False) -> str:
    more: dict[str, Any] = {} if modern else {"task": {"ttl": 60_000}}
    result = (await say(client, "tools/call", modern=modern, name=tool, arguments={}, **more)).json["result"]
    task: str = result["taskId"] if modern else result["task"]["taskId"]
    return task


def got(it: World) -> list[str]:
    return [received.json["params"]["taskId"] for received in it.upstream.received[1:]]


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
async def test_a_task_of_2025_11_25_is_reached_by_the_grant_that_began_it(
    tmp_path: Path, method: str
) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        task = await begin(alice)
        assert RAW not in task
        answer = await say(alice, method, taskId=task)
        assert got(it) == [RAW]
        assert RAW.encode() not in answer.body
        assert task.encode() in answer.body


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_task_of_2026_07_28_is_too_and_its_header_names_the_servers_id(
    tmp_path: Path, method: str
) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        task = await begin(alice, modern=True)
        more: dict[str, Any] = {"inputResponses": {}} if method == "tasks/update" else {}
        answer = await say(alice, method, modern=True, taskId=task, **more)
        assert answer.status == 200
        assert got(it) == [RAW]
        assert it.upstream.received[1].headers["mcp-name"] == RAW
        assert RAW.encode() not in answer.body


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize(
    "able", [None, {}, {"extensions": {}}, {"extensions": ["io.modelcontextprotocol/tasks"]}]
)
async def test_a_client_that_does_not_declare_tasks_is_told_what_it_misses(
    tmp_path: Path, method: str, able: Any
) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        task = await begin(alice, modern=True)
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        meta |= {} if able is None else {"io.modelcontextprotocol/clientCapabilities": able}
        answer = await alice.post(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"taskId": task, "_meta": meta}},
            mcp_protocol_version="2026-07-28", mcp_method=method, mcp_name=task,
        )  # fmt: skip
        assert (answer.status, answer.json["error"]["code"]) == (400, -32021)
        assert answer.json["error"]["data"]["requiredCapabilities"] == {"extensions": {TASKS: {}}}
        assert got(it) == []


async def test_a_method_that_2026_07_28_dropped_is_unknown_whatever_its_headers(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"} | DECLARED
        answer = await alice.post(
            {"jsonrpc": "2.0", "id": 1, "method": "tasks/result", "params": {"taskId": "x", "_meta": meta}},
            mcp_protocol_version="2026-07-28", mcp_method="tasks/result",
        )  # fmt: skip
        assert (answer.status, answer.json["error"]["code"]) == (404, -32601)
        assert it.upstream.received == []


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
async def test_nobody_elses_task_and_no_made_up_one_is_ever_forwarded(tmp_path: Path, method: str) -> None:
    bobs = new_token(GRANT)
    async with world(tmp_path, upstream=Upstream(works)) as it:
        it.reconfigure(grants={it.token: {}, bobs: {}})
        async with it.client() as alice, it.client(token=bobs) as bob, it.client(
            token=it.mallorys_token, server=MALLORYS_SERVER
        ) as mallory:  # fmt: skip
            task = await begin(alice)
            for client, tried in (
                (bob, task),
                (mallory, task),
                (alice, RAW),
                (alice, task + "="),
                (alice, task[:-3] + "AAA"),
                (alice, ""),
                (alice, 1),
                (alice, None),
                (alice, [task]),
            ):
                answer = await say(client, method, taskId=tried)
                assert answer.json["error"]["code"] == -32602, tried
            assert (await say(alice, method)).json["error"]["code"] == -32602
        assert len(it.upstream.received) == 1


@pytest.mark.parametrize("rule", ['{ "action": "deny" }', '{ "deny_if": [ { "conditions": [] } ] }'])
async def test_a_task_of_a_tool_that_was_denied_since_is_out_of_reach(tmp_path: Path, rule: str) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        task = await begin(alice)
        it.reconfigure(document=DOCUMENT.replace('"search": {}', f'"search": {rule}'))
        for method in ("tasks/get", "tasks/result", "tasks/cancel"):
            answer = await say(alice, method, taskId=task)
            assert answer.json["error"]["data"]["code"] == "denied"
        it.reconfigure(document='{"version": "1", "default": "allow", "hide": ["search"]}')
        answer = await say(alice, "tasks/result", taskId=task)
        assert answer.json["error"]["data"]["code"] == "not_available"
        assert len(it.upstream.received) == 1


async def test_a_call_that_is_to_be_a_task_is_judged_and_charged_like_any_other(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        for _ in range(2):
            task = await begin(alice, "create_access_key")
        refused = await say(alice, "tools/call", name="create_access_key", task={"ttl": 1})
        assert refused.json["result"]["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"
        # Later requests about the task are not charged.
        assert (await say(alice, "tasks/result", taskId=task)).json["result"]["content"][0]["text"] == "done"
        denied = await say(alice, "tools/call", name="delete_file", task={"ttl": 1})
        assert denied.json["result"]["_meta"]["policylayer/decision"]["code"] == "denied"


async def test_nobody_lists_tasks_of_others(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(works)) as it, it.client() as alice:
        assert (await say(alice, "tasks/list")).json["error"]["code"] == -32601
        assert it.upstream.received == []


def streaming(*messages: dict[str, Any], wait: float = 0) -> Upstream:
    async def behave(conversation: Conversation) -> None:
        if (
            conversation.request.method == "POST"
            and conversation.request.json.get("method") != "subscriptions/listen"
        ):
            await works(conversation)
            return
        conversation.begin_stream()
        for message in messages:
            conversation.message(message)
        await asyncio.sleep(wait)
        conversation.end_stream()

    return Upstream(behave)


def news(task: str, method: str = "notifications/tasks/status") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"taskId": task} | STATE}


async def test_news_of_a_task_reach_the_grant_that_began_it_and_nobody_else(tmp_path: Path) -> None:
    bobs = new_token(GRANT)
    sent = [
        news(RAW),
        news("of somebody else"),
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {}},
    ]
    async with world(tmp_path, upstream=streaming(*sent)) as it:
        it.reconfigure(grants={it.token: {}, bobs: {}})
        async with it.client() as alice, it.client(token=bobs) as bob:
            task = await begin(alice)
            heard = [json.loads(event) for event in (await alice.ask("GET")).events]
            assert [one["method"] for one in heard] == ["notifications/tasks/status", "notifications/message"]
            assert heard[0]["params"]["taskId"] == task
            heard = [json.loads(event) for event in (await bob.ask("GET")).events]
            assert [one["method"] for one in heard] == ["notifications/message"]


async def test_a_subscription_to_tasks_names_them_by_what_was_handed_out(tmp_path: Path) -> None:
    acknowledged = {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {"taskIds": [RAW]}},
    }
    sent = [acknowledged, news(RAW, "notifications/tasks"), news("another's", "notifications/tasks")]
    async with world(tmp_path, upstream=streaming(*sent)) as it, it.client() as alice:
        task = await begin(alice, modern=True)
        answer = await say(alice, "subscriptions/listen", modern=True, notifications={"taskIds": [task]})
        assert it.upstream.received[-1].json["params"]["notifications"]["taskIds"] == [RAW]
        heard = [json.loads(event) for event in answer.events]
        assert heard[0]["params"]["notifications"]["taskIds"] == [task]
        assert [one["params"].get("taskId") for one in heard[1:]] == [task]
        assert RAW.encode() not in answer.body
        refused = await say(alice, "subscriptions/listen", modern=True, notifications={"taskIds": [RAW]})
        assert refused.json["error"]["code"] == -32602


async def test_what_a_server_asks_for_a_task_comes_and_goes_by_its_wrapped_name(tmp_path: Path) -> None:
    asks = {
        "jsonrpc": "2.0",
        "id": "e1",
        "method": "elicitation/create",
        "params": {"message": "Sure?", "_meta": {RELATED: {"taskId": RAW}, "kept": 1}},
    }
    async with world(tmp_path, upstream=streaming(asks)) as it, it.client() as alice:
        task = await begin(alice)
        [heard] = [json.loads(event) for event in (await alice.ask("GET")).events]
        assert heard["params"]["_meta"] == {RELATED: {"taskId": task}, "kept": 1}
        answer = {"action": "accept", "_meta": {RELATED: {"taskId": task}}}
        assert (await alice.post({"jsonrpc": "2.0", "id": "e1", "result": answer})).status == 202
        assert it.upstream.received[-1].json["result"]["_meta"][RELATED]["taskId"] == RAW


async def test_a_result_that_only_speaks_of_tasks_leaves_as_it_came(tmp_path: Path) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"taskId": "x",  "n":1.50}}}'

    async def speaks(conversation: Conversation) -> None:
        conversation.json(body)

    async with world(tmp_path, upstream=Upstream(speaks)) as it, it.client() as alice:
        assert (await alice.call("search", {})).body == body
