"""What a server says anyone may keep is for the grant that asked: a shared cache would show it to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.raw_http import Answer, Conversation, Upstream
from tests.gateway.world import World, quick, world

VERSION = "2026-07-28"
ASKED: dict[str, dict[str, Any]] = {
    "resources/read": {"uri": "file:///public/a"},
    "resources/list": {},
    "resources/templates/list": {},
    "prompts/list": {},
    "server/discover": {},
}
RESULT = {"resultType": "complete", "contents": [], "ttlMs": 60_000, "cacheScope": "public", "more": 1.50}


async def ask(it: World, method: str, *, modern: bool) -> Answer:
    params = dict(ASKED[method])
    headers: dict[str, str | None] = {}
    if modern:
        params["_meta"] = {"io.modelcontextprotocol/protocolVersion": VERSION}
        headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method, "Mcp-Name": params.get("uri")}
    async with it.client() as alice:
        return await alice.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, **headers)


def server(result: Any, *, streams: bool) -> Upstream:
    async def behave(conversation: Conversation) -> None:
        if streams:
            conversation.begin_stream()
            conversation.message({"jsonrpc": "2.0", "id": 1, "result": result})
            conversation.end_stream()
        else:
            conversation.result(result)

    return Upstream(behave)


@pytest.mark.parametrize("streams", [False, True], ids=["json", "events"])
@pytest.mark.parametrize(
    ("method", "modern"), [*((method, True) for method in ASKED), ("resources/read", False)]
)
async def test_an_answer_that_anyone_may_keep_is_told_as_private(
    tmp_path: Path, method: str, modern: bool, streams: bool
) -> None:
    async with world(tmp_path, upstream=server(RESULT, streams=streams)) as it:
        answer = await ask(it, method, modern=modern)
        told = json.loads(answer.events[0] if streams else answer.body)
        assert told["result"] == RESULT | {"cacheScope": "private"}
        assert b"event: message\n" in answer.body or not streams


async def test_a_long_answer_is_private_too(tmp_path: Path) -> None:
    long = RESULT | {"contents": [{"uri": "file:///public/a", "text": "x" * 300_000}]}
    limits = quick(list_bytes=65_536)
    async with world(tmp_path, upstream=server(long, streams=False), limits=limits) as it:
        answer = await ask(it, "resources/read", modern=True)
        assert answer.json["result"] == long | {"cacheScope": "private"}


async def test_a_tool_may_return_what_reads_alike(tmp_path: Path) -> None:
    result = {"content": [], "structuredContent": {"cacheScope": "public"}}
    async with world(tmp_path, upstream=server(result, streams=False)) as it, it.client() as alice:
        answer = await alice.call("read_file", {})
        assert answer.json["result"] == result
