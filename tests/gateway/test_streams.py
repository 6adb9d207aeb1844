"""Answers are passed on as they arrive, end when they must, and say what interrupted them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from common.tokens import GRANT, new_token, token_digest
from tests.gateway.raw_http import Client, Conversation, Upstream, read_chunk
from tests.gateway.world import ACME, MALLORYS_SERVER, eventually, organization, quick, server, world

META = "policylayer/decision"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file", "arguments": {}}}
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
PROGRESS = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "read_file"}


def modern_call() -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    return CALL | {"params": {"name": "read_file", "arguments": {}, "_meta": meta}}


def send(client: Client, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    client.send(client.head("POST", len(body), {}) + body)


async def begun(client: Client) -> bytes:
    """The first event of a stream that has begun."""
    answer = await client.answer_head()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    return await read_chunk(client.reader)


class Script:
    """A stream that waits for the test before each step."""

    def __init__(self, *, headers: str = "") -> None:
        self.go = asyncio.Event()
        self.headers = headers

    async def __call__(self, conversation: Conversation) -> None:
        conversation.begin_stream(self.headers)
        conversation.message(PROGRESS)
        await self.go.wait()
        conversation.message(RESULT)
        conversation.end_stream()


async def test_the_first_event_passes_before_the_last_is_there(tmp_path: Path) -> None:
    script = Script()
    async with world(tmp_path, upstream=Upstream(script)) as it, it.client() as alice:
        send(alice, CALL)
        assert json.loads((await begun(alice)).split(b"data: ")[1]) == PROGRESS
        script.go.set()
        assert json.loads((await read_chunk(alice.reader)).split(b"data: ")[1]) == RESULT
        assert await read_chunk(alice.reader) == b""
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code is None


async def test_a_long_json_answer_passes_while_it_arrives(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        conversation.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        conversation.event('{"jsonrpc":"2.0","id":1,"result":"')
        conversation.event(b"x" * 3_000)
        await go.wait()
        conversation.event('"}')
        conversation.end_stream()

    limits = quick(list_bytes=2_000)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it, it.client() as alice:
        send(alice, CALL)
        assert (await alice.answer_head()).status == 200
        assert (await read_chunk(alice.reader)).startswith(b'{"jsonrpc":"2.0","id":1,')
        go.set()
        while (chunk := await read_chunk(alice.reader)) != b'"}':
            assert set(chunk) == set(b"x")


async def test_a_stream_that_dies_tells_the_agent(tmp_path: Path) -> None:
    async def die(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.message(PROGRESS)
        await conversation.writer.drain()
        conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(die)) as it, it.client() as alice:
        answer = await alice.post(CALL)
        told = json.loads(answer.events[-1])
        assert (told["id"], told["result"]["isError"]) == (1, True)
        assert told["result"]["content"][0]["text"].startswith("[UPSTREAM ERROR] ")
        assert told["result"]["_meta"][META]["code"] == "upstream_invalid"
        assert it.log.completions[0].upstream_code == "upstream_invalid"


async def test_a_stream_that_dies_after_its_answer_has_lost_nothing(tmp_path: Path) -> None:
    async def die(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.message(RESULT)
        await conversation.writer.drain()
        conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(die)) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert [json.loads(event) for event in answer.events] == [RESULT]


NOTED = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": "x"}}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [": nothing to say\n\n"],
        [f"data: {json.dumps(NOTED)}\n\n"],
        [f"data: {json.dumps(RESULT | {'id': 7})}\n\n"],
        [f"data: {json.dumps(RESULT)}\n"],
        [f"id:\ndata: {json.dumps(PROGRESS)}\n\n"],
        [f"id: a\0b\ndata: {json.dumps(PROGRESS)}\n\n"],
    ],
    ids=["nothing", "a comment", "news", "to another call", "half", "no id", "a NUL"],
)
@pytest.mark.parametrize("slowly", [False, True])
async def test_a_stream_that_ends_without_its_answer_tells_the_agent(
    tmp_path: Path, events: list[str], slowly: bool
) -> None:
    async def end(conversation: Conversation) -> None:
        conversation.begin_stream()
        for event in events:
            conversation.event(event)
        await asyncio.sleep(0.05 if slowly else 0)
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(end)) as it, it.client() as alice:
        told = json.loads((await alice.post(CALL)).events[-1])
        assert told["id"] == 1
        assert told["result"]["_meta"][META]["code"] == "upstream_invalid"
        assert it.log.completions[0].upstream_code == "upstream_invalid"


@pytest.mark.parametrize(("cancels", "code"), [(1, "client_gone"), (2, "upstream_invalid")])
async def test_a_server_need_not_answer_what_its_client_cancels(
    tmp_path: Path, cancels: int, code: str
) -> None:
    heard = asyncio.Event()

    async def behave(conversation: Conversation) -> None:
        if conversation.request.json.get("method") == "notifications/cancelled":
            heard.set()
            conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            return
        conversation.begin_stream()
        conversation.message(PROGRESS)
        await heard.wait()
        conversation.end_stream()

    cancelled = {"method": "notifications/cancelled", "params": {"requestId": cancels}}
    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice, it.client() as beside:
        send(alice, CALL)
        await begun(alice)
        assert (await beside.post({"jsonrpc": "2.0"} | cancelled)).status == 202
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == code


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
async def test_news_after_the_answer_are_followed_by_no_second_answer(
    tmp_path: Path, ends: bool, separators: tuple[str, str]
) -> None:
    answer = f"data: {json.dumps(RESULT, separators=separators)}\n\n"

    async def behave(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(answer)
        await asyncio.sleep(0.02)
        conversation.message(NOTED)
        await conversation.writer.drain()
        conversation.end_stream() if ends else conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice:
        answers = [json.loads(event) for event in (await alice.post(CALL)).events]
        assert answers == [RESULT, NOTED]


async def test_a_stream_that_ends_and_can_be_resumed_is_left_to_its_client(tmp_path: Path) -> None:
    async def end(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event("id: 7\ndata:\n\n")
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(end)) as it, it.client() as alice:
        assert len((await alice.post(CALL)).events) == 0
        assert it.log.completions[0].upstream_code is None


async def test_the_end_of_a_subscription_is_no_failure(tmp_path: Path) -> None:
    async def end(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.message(NOTED)
        conversation.end_stream()

    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    modern: dict[str, str | None] = {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
    }
    async with world(tmp_path, upstream=Upstream(end)) as it, it.client() as alice:
        assert [json.loads(event) for event in (await alice.post(listen, **modern)).events] == [NOTED]


async def test_a_stream_that_can_be_resumed_is_broken_off_so_that_it_is(tmp_path: Path) -> None:
    async def die(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(f"id: 7\ndata: {json.dumps(PROGRESS)}\n\n")
        await conversation.writer.drain()
        conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(die)) as it, it.client() as alice:
        send(alice, CALL)
        assert (await begun(alice)).startswith(b"id: ")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
            await read_chunk(alice.reader)


async def test_a_long_json_answer_that_dies_is_not_taken_for_whole(tmp_path: Path) -> None:
    async def die(conversation: Conversation) -> None:
        conversation.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n{"
        )
        await conversation.writer.drain()
        await asyncio.sleep(0.05)
        conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(die)) as it, it.client() as alice:
        send(alice, CALL)
        answer = await alice.answer_head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await alice.reader.readexactly(int(answer.headers["content-length"]))
        assert it.log.completions[0].upstream_code == "upstream_invalid"


async def test_a_silent_stream_is_given_up(tmp_path: Path) -> None:
    limits = quick(stream_idle_seconds=0.3)
    async with world(tmp_path, upstream=Upstream(Script()), limits=limits) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert json.loads(answer.events[-1])["result"]["_meta"][META]["code"] == "upstream_timeout"


async def test_a_stream_with_comments_is_kept_open(tmp_path: Path) -> None:
    async def ping(conversation: Conversation) -> None:
        conversation.begin_stream()
        for _ in range(10):
            conversation.event(": ping\n\n")
            await asyncio.sleep(0.1)
        conversation.message(RESULT)
        conversation.end_stream()

    limits = quick(stream_idle_seconds=0.4)
    async with world(tmp_path, upstream=Upstream(ping), limits=limits) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert answer.body.count(b": ping") == 10
        assert json.loads(answer.events[-1]) == RESULT


async def test_a_hidden_tool_is_taken_out_of_any_stream(tmp_path: Path) -> None:
    async def smuggle(conversation: Conversation) -> None:
        tools = [{"name": "read_file"}, {"name": "hidden_tool"}]
        conversation.begin_stream()
        conversation.message({"jsonrpc": "2.0", "id": 99, "result": {"tools": tools}})
        conversation.message(RESULT)
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(smuggle)) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert b"hidden_tool" not in answer.body
        assert json.loads(answer.events[0])["result"]["tools"] == [{"name": "read_file"}]


async def test_a_list_with_two_meanings_is_not_shown(tmp_path: Path) -> None:
    async def ambiguous(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(
            'data: {"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden_tool"}]}}\n\n'
        )
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(ambiguous)) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert b"hidden_tool" not in answer.body
        assert json.loads(answer.events[-1])["result"]["_meta"][META]["code"] == "upstream_invalid"


async def test_an_event_without_end_is_cut_off(tmp_path: Path) -> None:
    async def endless(conversation: Conversation) -> None:
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event("data: " + "x" * 10_000)
            await conversation.writer.drain()

    limits = quick(answer_bytes=200_000)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits) as it, it.client() as alice:
        answer = await alice.post(CALL)
        assert json.loads(answer.events[-1])["result"]["_meta"][META]["code"] == "upstream_too_large"
        await eventually(lambda: it.upstream.gone == 1)


async def test_a_client_that_does_not_read_stops_the_server_and_is_cut_off(tmp_path: Path) -> None:
    sent = 0

    async def endless(conversation: Conversation) -> None:
        nonlocal sent
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event("data: " + "x" * 50_000 + "\n\n")
            sent += 50_000
            await conversation.writer.drain()

    limits = quick(stalled_seconds=0.5)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits) as it, it.client() as lazy:
        lazy.headers.update(MODERN)
        lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        send(lazy, modern_call())
        await eventually(lambda: it.upstream.gone == 1)
        assert sent < 40_000_000


async def test_a_modern_client_that_goes_away_stops_the_server_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(Script())) as it:
        async with it.client(**MODERN) as alice:
            send(alice, modern_call())
            await begun(alice)
        await eventually(lambda: it.upstream.gone == 1)
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "client_gone"


async def test_a_modern_client_that_goes_away_before_the_answer_stops_the_server(tmp_path: Path) -> None:
    async def hang(_: Conversation) -> None:
        await asyncio.sleep(30)

    async with world(tmp_path, upstream=Upstream(hang)) as it:
        async with it.client(**MODERN) as alice:
            send(alice, modern_call())
            await eventually(lambda: len(it.upstream.received) == 1)
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "client_gone"


async def test_an_older_client_that_goes_away_does_not_cancel_its_call(tmp_path: Path) -> None:
    script = Script()
    async with world(tmp_path, upstream=Upstream(script)) as it:
        async with it.client() as alice:
            send(alice, CALL)
            await begun(alice)
        await asyncio.sleep(0.2)
        assert it.upstream.gone == 0
        script.go.set()
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code is None


@pytest.mark.parametrize("how", ["the client left", "the grant was revoked"])
async def test_a_call_without_its_client_does_not_go_on_for_ever(tmp_path: Path, how: str) -> None:
    async def endless(conversation: Conversation) -> None:
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.message(PROGRESS)
            await asyncio.sleep(0.01)

    limits = quick(orphan_seconds=0.3)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits) as it, it.client() as alice:
        send(alice, CALL)
        await begun(alice)
        if how == "the client left":
            alice.writer.close()
        else:
            it.reconfigure(grants={})
        await eventually(lambda: it.upstream.gone == 1)
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "client_gone"


async def standing(conversation: Conversation) -> None:
    if conversation.request.method != "GET":
        conversation.result({})
        return
    conversation.begin_stream()
    conversation.message(PROGRESS)
    await asyncio.sleep(30)


async def ended(client: Client) -> bool:
    return await asyncio.wait_for(read_chunk(client.reader), 60) == b""


@pytest.mark.parametrize("how", ["revoked", "moved", "retired", "rotated", "closed", "expired"])
async def test_streams_of_a_grant_that_is_gone_end_within_a_second(tmp_path: Path, how: str) -> None:
    async with world(tmp_path, upstream=Upstream(standing)) as it, it.client() as alice:
        alice.send(alice.head("GET", None, {}))
        await begun(alice)
        if how == "revoked":
            it.reconfigure(grants={})
        elif how == "moved":
            elsewhere = server(it.upstream.url, id=MALLORYS_SERVER)
            it.config.organizations[0] = organization(ACME, elsewhere, {it.token: {}}, revision=8)
            it.gateway.on_swap()
        elif how == "retired":
            other = server(it.upstream.url, id=MALLORYS_SERVER)
            it.config.organizations[0] = organization(ACME, other, {}, revision=8)
            it.gateway.on_swap()
        elif how == "rotated":
            known = it.config.organizations[0].grants[token_digest(it.token)]
            it.reconfigure(grants={new_token(GRANT): {"id": known.id}})
        elif how == "closed":
            it.config.organizations.pop(0)
            it.gateway.on_swap()
        else:
            it.reconfigure(grants={it.token: {"expires_at": int(time.time()) + 1}})
            await asyncio.sleep(1)
        assert await ended(alice)
        await eventually(lambda: it.upstream.gone == 1)


async def test_a_forwarded_call_of_a_revoked_grant_is_finished_and_recorded(tmp_path: Path) -> None:
    script = Script()
    async with world(tmp_path, upstream=Upstream(script)) as it, it.client() as alice:
        send(alice, CALL)
        await begun(alice)
        it.reconfigure(grants={})
        assert await ended(alice)
        assert not it.log.completions
        script.go.set()
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code is None


async def test_a_stream_shows_no_tool_that_a_policy_published_since_hides(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def lists_twice(conversation: Conversation) -> None:
        conversation.begin_stream()
        for number in range(2):
            listed: list[dict[str, Any]] = [
                {"name": name, "inputSchema": {}} for name in ("read_file", "search")
            ]
            conversation.message({"jsonrpc": "2.0", "id": number, "result": {"tools": listed}})
            await go.wait()

    async with world(tmp_path, upstream=Upstream(lists_twice)) as it, it.client() as alice:
        alice.send(alice.head("GET", None, {}))
        first = await begun(alice)
        assert b"read_file" in first and b"search" in first
        it.reconfigure(document='{"version": "1", "default": "allow", "hide": ["read_*"]}')
        go.set()
        second = await read_chunk(alice.reader)
        assert b"search" in second and b"read_file" not in second


async def test_another_organizations_news_ends_no_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(standing)) as it, it.client() as alice:
        alice.send(alice.head("GET", None, {}))
        await begun(alice)
        it.config.organizations.pop(1)
        it.gateway.on_swap()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_chunk(alice.reader), 0.2)


async def test_draining_ends_standing_streams_so_that_clients_come_back(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(standing)) as it, it.client() as alice:
        alice.send(alice.head("GET", None, {}))
        await begun(alice)
        closing = asyncio.create_task(it.http.close())
        assert await read_chunk(alice.reader) == b"retry: 1000\n\n"
        assert await ended(alice)
        await closing


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_without_a_standing_stream_says_so(tmp_path: Path, status: int) -> None:
    async def refuse(conversation: Conversation) -> None:
        conversation.json({"error": "no"}, status=status)

    async with world(tmp_path, upstream=Upstream(refuse)) as it, it.client() as alice:
        assert (await alice.ask("GET")).status == status


async def test_an_address_named_in_the_answer_to_a_call_is_not_passed_on(tmp_path: Path) -> None:
    async def oldest(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event("event: endpoint\ndata: /messages?session=1\n\n")
        await asyncio.sleep(5)

    async with world(tmp_path, upstream=Upstream(oldest)) as it, it.client() as alice:
        answer = await asyncio.wait_for(alice.post(CALL), 60)
        assert b"/messages" not in answer.body
        assert json.loads(answer.events[-1])["result"]["_meta"][META]["code"] == "upstream_invalid"


async def test_a_standing_stream_to_nowhere_is_a_bad_gateway(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(url="http://127.0.0.1:9/")
        assert (await alice.ask("GET")).status == 502
