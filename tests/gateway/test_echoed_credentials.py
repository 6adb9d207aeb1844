"""A server that echoes its requests does not show its credentials to anyone who may call it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import Context, MCPServer

from tests.gateway.raw_http import Conversation, Upstream
from tests.gateway.test_official_client import AS_STARTED, MODES, running, through
from tests.gateway.world import ACME, KEYS, SERVER, quick, world

KEY = "sk-live/7Qm+Zp04Rt9XwVb2Lc8sEf1=="
STARS = b"*" * len(KEY)


def sealed(**headers: str) -> str:
    secret = json.dumps(headers or {"Authorization": f"Bearer {KEY}"}).encode()
    return KEYS.seal(secret, organization=ACME, subject=SERVER, purpose="upstream-headers")


def repeats() -> MCPServer:
    server = MCPServer("repeats")

    @server.tool()
    def read_file(path: str, ctx: Context) -> dict[str, Any]:
        """Shows what it was sent."""
        request: Any = ctx.request_context.request
        return {"path": path, "headers": dict(request.headers)}

    @server.tool()
    def search(words: str, ctx: Context) -> str:
        """Refuses its credential."""
        request: Any = ctx.request_context.request
        return f"refused {request.headers['authorization']}"

    return server


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("as_json", [True, False])
async def test_no_tool_of_a_real_server_shows_it(tmp_path: Path, mode: str, as_json: bool) -> None:
    async with running(repeats(), json_response=as_json) as url, world(tmp_path, limits=AS_STARTED) as it:
        it.reconfigure(url=url, credentials=sealed())
        async with through(it, mode) as alice:
            answer = await alice.call_tool("read_file", {"path": "/home/a"})
            assert answer.structured_content is not None and answer.structured_content["path"] == "/home/a"
            shown = answer.structured_content["headers"]
            assert (shown["authorization"], shown["user-agent"]) == (
                f"Bearer {'*' * len(KEY)}",
                "PolicyLayer",
            )
            assert KEY not in answer.model_dump_json()
            refused = await alice.call_tool("search", {"words": "a"})
            assert refused.content[0].text == f"refused Bearer {'*' * len(KEY)}"  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_an_error_that_is_passed_on_names_no_credential(tmp_path: Path, status: int) -> None:
    async def refuses(conversation: Conversation) -> None:
        conversation.json(f"no such key: {KEY}".encode(), status=status, headers=f"Allow: {KEY}\r\n")

    async with world(tmp_path, upstream=Upstream(refuses)) as it, it.client() as alice:
        it.reconfigure(credentials=sealed())
        answer = await alice.call("read_file", {})
        assert (answer.status, answer.body) == (status, b"no such key: " + STARS)
        assert answer.headers["allow"] == STARS.decode()


async def test_it_is_blotted_out_across_the_pieces_of_a_long_answer(tmp_path: Path) -> None:
    go = asyncio.Event()
    filler = b"x" * 70_000
    body = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"%b %b"}]}}'
    begun, ended = (body % (filler, KEY.encode())).split(KEY[9:].encode())

    async def in_two(conversation: Conversation) -> None:
        length = len(begun) + len(KEY[9:]) + len(ended)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        conversation.write(f"{head}{length}\r\n\r\n".encode() + begun)
        await go.wait()
        conversation.write(KEY[9:].encode() + ended)

    limits = quick(list_bytes=65_536, answer_grace_seconds=60.0)
    async with world(tmp_path, upstream=Upstream(in_two), limits=limits) as it, it.client() as alice:
        it.reconfigure(credentials=sealed())
        alice.send(alice.head("POST", 95, {}))
        alice.send(
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{}}}'.ljust(
                95
            )
        )
        head = await alice.answer_head()
        begins = await alice.reader.readexactly(len(begun) - 9)
        assert begins == begun[:-9]
        go.set()
        rest = await alice.reader.readexactly(int(head.headers["content-length"]) - len(begins))
        assert rest == STARS + ended


async def test_events_are_blotted_and_come_no_later_for_it(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def streams(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(f": {KEY[:12]}\n")
        conversation.event(f"event: message\ndata: {json.dumps({'method': 'a', 'b': KEY})}\n\n"[:-30])
        conversation.event(f"event: message\ndata: {json.dumps({'method': 'a', 'b': KEY})}\n\n"[-30:])
        await go.wait()
        conversation.message({"jsonrpc": "2.0", "id": 1, "result": {"text": KEY}})
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(streams)) as it, it.client() as alice:
        it.reconfigure(credentials=sealed())
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
        alice.send(alice.head("POST", len(body), {}) + body)
        await alice.answer_head()
        seen = b""
        while b'"b"' not in seen:
            seen += await alice.reader.read(4096)
        assert STARS in seen and KEY.encode() not in seen
        go.set()
        while not seen.endswith(b"0\r\n\r\n"):
            seen += await alice.reader.read(4096)
        assert seen.count(STARS) == 2 and KEY.encode() not in seen


async def test_an_address_for_messages_that_holds_it_is_still_posted_to(tmp_path: Path) -> None:
    async def of_2024(conversation: Conversation) -> None:
        if conversation.request.method == "GET":
            conversation.begin_stream()
            conversation.event(f"event: endpoint\ndata: /messages?key={KEY}\n\n")
            await asyncio.Event().wait()
        conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    async with (
        world(tmp_path, upstream=Upstream(of_2024)) as it,
        it.client() as listens,
        it.client() as posts,
    ):
        it.reconfigure(credentials=sealed())
        listens.send(listens.head("GET", None, {"Accept": "text/event-stream"}))
        await listens.answer_head()
        event = (await listens.reader.readuntil(b"\n\n")).decode()
        assert KEY not in event
        posts.path = event.partition("data: ")[2].strip()
        sent = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await posts.post(sent)).status == 202
        assert it.upstream.received[-1].path == f"/messages?key={KEY}"


async def test_a_short_word_among_the_headers_is_left_where_it_stands(tmp_path: Path) -> None:
    async def says(conversation: Conversation) -> None:
        conversation.result({"content": [{"type": "text", "text": "made in eu-central-1 on 2026-07-28"}]})

    async with world(tmp_path, upstream=Upstream(says)) as it, it.client() as alice:
        it.reconfigure(credentials=sealed(**{"X-Region": "eu-central-1", "X-Since": "2026-07-28"}))
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["content"][0]["text"] == "made in eu-central-1 on 2026-07-28"
