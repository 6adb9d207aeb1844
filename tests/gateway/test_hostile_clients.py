"""An agent with a valid token that does its worst."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from common.tokens import GRANT, new_token
from gateway.counters.sqlite import SqliteLimiter
from tests.gateway.raw_http import Client, Conversation, Upstream, answer_ok
from tests.gateway.world import ACME, DOCUMENT, MALLORYS_SERVER, UMBRA, World, eventually, quick, world

META = "policylayer/decision"
STRICTER = DOCUMENT.replace('"search": {},', '"search": {"action": "deny"},')


def call(tool: str, id: int = 1) -> bytes:
    message = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    return json.dumps(message).encode()


def framed(client: Client, body: bytes) -> bytes:
    return client.head("POST", len(body), {}) + body


def change(it: World, how: str) -> None:
    if how == "denied":
        it.reconfigure(document=STRICTER, policy="00000000-0000-7000-8000-000000000902")
    elif how == "revoked":
        it.reconfigure(grants={})
    else:
        it.reconfigure(grants={it.token: {"expires_at": 1}})


@pytest.mark.parametrize("how", ["denied", "revoked", "expired"])
async def test_a_head_sent_early_is_judged_by_what_holds_when_its_body_is_there(
    tmp_path: Path, how: str
) -> None:
    limits = quick(body_grace_seconds=60.0)
    async with world(tmp_path, limits=limits) as it, it.client() as alice:
        request = framed(alice, call("search"))
        alice.send(request[:-5])
        await asyncio.sleep(0.1)
        change(it, how)
        alice.send(request[-5:])
        answer = await alice.answer()
        if how == "denied":
            assert answer.json["result"]["_meta"][META]["code"] == "denied"
        else:
            assert answer.status == 401
        assert not it.upstream.received


@pytest.mark.parametrize("how", ["denied", "revoked", "expired"])
async def test_a_request_queued_behind_another_is_judged_by_what_holds_at_its_turn(
    tmp_path: Path, how: str
) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    async with world(tmp_path, upstream=Upstream(slowly)) as it, it.client() as alice:
        alice.send(framed(alice, call("read_file", 1)) + framed(alice, call("search", 2)))
        await eventually(lambda: len(it.upstream.received) == 1)
        change(it, how)
        go.set()
        assert (await alice.answer()).json["id"] == 1
        second = await alice.answer()
        assert second.status == 401 or second.json["result"]["isError"]
        assert len(it.upstream.received) == 1


async def test_bodies_that_never_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    limits = quick(held_bytes=3_000_000, body_grace_seconds=5.0)
    async with world(tmp_path, limits=limits) as it:
        clients = [it.client() for _ in range(12)]
        for client in clients:
            await client.connect()
            client.send(client.head("POST", 400_000, {}) + b" " * 300_000)
        answers = [asyncio.create_task(client.answer()) for client in clients]
        await eventually(lambda: sum(answer.done() for answer in answers) >= 5)
        assert {answer.result().status for answer in answers if answer.done()} == {429}
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            assert (await mallory.call("read_file", {"path": "x" * 300_000})).status == 200
        for client, answer in zip(clients, answers, strict=True):
            answer.cancel()
            client.writer.close()
        await eventually(lambda: not it.gateway._rooms)
        async with it.client() as alice:
            assert (await alice.call("read_file", {"path": "x" * 300_000})).status == 200


async def test_an_answer_left_unread_keeps_its_place_among_the_open_requests(tmp_path: Path) -> None:
    async def large(conversation: Conversation) -> None:
        tools = [{"name": "read_file", "description": "x" * 12_000_000}]
        conversation.result({"tools": tools})

    listing = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    limits = quick(requests_per_grant=1, stalled_seconds=0.5, write_high_bytes=65_536, list_bytes=16_000_000)
    async with world(tmp_path, upstream=Upstream(large), limits=limits) as it, it.client() as lazy:
        lazy.writer.get_extra_info("socket").setsockopt(1, 8, 4096)
        lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        lazy.send(framed(lazy, listing))
        await eventually(lambda: len(it.upstream.received) == 1)
        await asyncio.sleep(0.1)
        async with it.client() as other:
            assert (await other.call("read_file", {})).status == 429
            await eventually(lambda: not it.gateway._open._grants)
            it.upstream.behaviour = answer_ok
            assert (await other.call("read_file", {})).status == 200


async def test_draining_waits_for_a_forwarded_call_whose_client_is_gone(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    limits = quick(drain_seconds=3.0)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it:
        async with it.client() as alice:
            alice.send(framed(alice, call("read_file")))
            await eventually(lambda: len(it.upstream.received) == 1)
        closing = asyncio.create_task(it.http.close())
        await asyncio.sleep(0.1)
        assert not it.log.completions
        go.set()
        await closing
        assert it.log.completions[0].upstream_code is None


class Slow(SqliteLimiter):
    """Answers after a pause."""

    def at_once(self, asked: Sequence[object]) -> Sequence[None]:
        return [None] * len(asked)

    async def reserve(self, *given: Any, **named: Any) -> Any:
        await asyncio.sleep(0.1)
        return await super().reserve(*given, **named)

    async def give_back(self, *given: Any) -> None:
        await asyncio.sleep(0.1)
        await super().give_back(*given)


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    ("limiter", "after"),
    [
        *((Slow, after) for after in (0.0, 0.05, 0.15, 0.25, 0.35)),
        (SqliteLimiter, 0.0),
        (SqliteLimiter, 0.05),
    ],
)
async def test_leaving_at_any_moment_buys_no_call(
    tmp_path: Path, limiter: type[SqliteLimiter], after: float, modern: bool
) -> None:
    """The server gets at most as many calls as were charged, and each has its record and its completion."""

    async def slowly(conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        await answer_ok(conversation)

    counters = limiter(tmp_path / "slow.sqlite", worker="gw-1")
    async with world(tmp_path, upstream=Upstream(slowly), limiter=counters) as it:
        message = json.loads(call("create_access_key"))
        headers: dict[str, str] = {}
        if modern:
            message["params"]["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
            headers = {
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "tools/call",
                "Mcp-Name": "create_access_key",
            }
        for _ in range(6):
            async with it.client(**headers) as alice:
                alice.send(framed(alice, json.dumps(message).encode()))
                await asyncio.sleep(after)
        await eventually(lambda: it.http.running == 0)
        assert len(it.upstream.received) <= 2
        allowed = {entry.id for entry in it.log.decisions if entry.outcome == "allow"}
        assert len(it.upstream.received) <= len(allowed)
        assert {entry.id for entry in it.log.completions} == allowed


async def test_however_many_grants_an_organization_makes_others_find_room(tmp_path: Path) -> None:
    let_go = asyncio.Event()
    tokens = [new_token(GRANT) for _ in range(6)]

    async def hang(conversation: Conversation) -> None:
        await let_go.wait()
        await answer_ok(conversation)

    limits = quick(connections=12, answer_seconds=60)
    async with world(tmp_path, upstream=Upstream(hang), limits=limits) as it, AsyncExitStack() as stack:
        it.reconfigure(grants={token: {} for token in (it.token, *tokens)})
        alices = [await stack.enter_async_context(it.client(token=token)) for token in tokens]
        mallory = await stack.enter_async_context(it.client(token=it.mallorys_token, server=MALLORYS_SERVER))
        bob = await stack.enter_async_context(it.client())
        for alice in alices:
            alice.send(framed(alice, call("read_file")))
        await eventually(lambda: len(it.upstream.received) == len(alices))
        assert (await bob.call("read_file", {})).status == 429
        mallorys = asyncio.create_task(mallory.call("read_file", {}))
        await eventually(lambda: len(it.upstream.received) == 7)
        let_go.set()
        assert (await mallorys).status == 200
        await eventually(lambda: it.http.running == 0)
        assert (await bob.call("read_file", {})).status == 200


async def test_another_grants_open_requests_leave_room_for_mine(tmp_path: Path) -> None:
    bobs = new_token(GRANT)
    limits = quick(requests_per_grant=1)

    async def slowly(conversation: Conversation) -> None:
        await asyncio.sleep(0.3)
        await answer_ok(conversation)

    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it:
        it.reconfigure(grants={it.token: {}, bobs: {}})
        async with it.client() as alice, it.client(token=bobs) as bob:
            alice.send(framed(alice, call("read_file")))
            await eventually(lambda: len(it.upstream.received) == 1)
            assert (await bob.call("read_file", {})).status == 200


@pytest.mark.parametrize("how", ["denied", "revoked", "expired"])
async def test_a_call_that_waits_for_its_server_is_sent_by_what_holds_then(tmp_path: Path, how: str) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    limits = quick(connections_per_server=1, waiting_seconds=60, answer_seconds=60)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it:
        async with it.client() as first, it.client() as second:
            first.send(framed(first, call("search")))
            await eventually(lambda: len(it.upstream.received) == 1)
            second.send(framed(second, call("create_access_key")))
            await eventually(lambda: len(it.log.decisions) == 2)
            change(it, how)
            go.set()
            assert (await first.answer()).json["result"]["content"][0]["text"] == "done"
            told = (await second.answer()).json["result"]
            assert told["_meta"][META]["code"] == "upstream_unreachable"
            assert len(it.upstream.received) == 1
        await eventually(lambda: len(it.log.completions) == 2)
        # Nothing was sent, so nothing was spent.
        it.reconfigure()
        async with it.client() as alice:
            for _ in range(2):
                assert "isError" not in (await alice.call("create_access_key", {})).json["result"]


async def test_bodies_sent_ahead_are_held_for_their_organization(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    limits = quick(held_bytes=300_000, answer_seconds=60)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it, it.client() as alice:
        alice.send(framed(alice, call("search", 1)))
        await eventually(lambda: len(it.upstream.received) == 1)
        padded = call("search", 2)[:-1] + b" " * 30_000 + b"}"
        alice.send(framed(alice, padded) * 5)
        await eventually(lambda: bool(it.gateway._rooms))
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            go.set()
            assert (await mallory.call("search", {"q": "x" * 80_000})).status == 200
        statuses = [(await alice.answer()).status for _ in range(4)]
        assert statuses == [200, 200, 200, 200]
        # The call that found no room is refused, and nothing comes after it.
        assert (await alice.answer()).status == 429
        assert await alice.closed()
        assert len(it.upstream.received) == 5
        await eventually(lambda: not it.gateway._rooms)


async def test_large_requests_that_wait_for_their_turn_have_their_places_and_their_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sharing._ALONE_AFTER", 3600.0)
    monkeypatch.setattr("gateway.sharing._LONGEST_WAIT", 2.0)
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "read_file", "arguments": {"a": "x" * 45_000}},
        }
    ).encode()
    async with world(tmp_path, limits=quick(requests_per_grant=4)) as it:
        sharing = it.gateway._sharing
        sharing.heard(UMBRA)
        sharing.heard(ACME)
        sharing.spent(ACME, 1.0)
        clients = [it.client() for _ in range(12)]
        for client in clients:
            await client.connect()
            client.send(client.head("POST", len(body), {}) + body)
        await eventually(lambda: it.http.running >= 4)
        refused = [asyncio.ensure_future(client.answer()) for client in clients]
        await eventually(lambda: sum(answer.done() for answer in refused) >= 8)
        done, waiting = {one for one in refused if one.done()}, {one for one in refused if not one.done()}
        assert (len(done), len(waiting)) == (8, 4)
        assert {answer.result().status for answer in done} == {429}
        for client in clients:
            client.writer.transport.abort()
        for answer in waiting:
            answer.cancel()
        await eventually(lambda: not it.http.running)
        assert not it.upstream.received
        assert not it.gateway._rooms


async def test_the_body_of_a_request_is_kept_no_longer_than_it_is_served(tmp_path: Path) -> None:
    params = {"name": "read_file", "arguments": {"a": "x" * 500_000}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(alice.head("POST", len(body), {}) + body[:1_000])
        await asyncio.sleep(0.05)
        alice.send(body[1_000:])
        assert (await alice.answer()).status == 200
        [connection] = it.http.connections
        assert not connection._completed


@pytest.mark.parametrize(
    "endless",
    [b"0\r\nX: ", b"0\r\n" + b"X: y\r\n" * 9, b"1;", b"0" * 99],
    ids=["trailer", "trailers", "extension", "size"],
)
async def test_what_never_ends_after_a_chunk_is_cut_off(tmp_path: Path, endless: bytes) -> None:
    limits = quick(body_grace_seconds=30.0)
    async with world(tmp_path, limits=limits) as it, it.client() as mallory:
        chunked: dict[str, str | None] = {
            "Content-Type": "application/json",
            "Transfer-Encoding": "chunked",
        }
        mallory.send(mallory.head("POST", None, chunked) + b"1\r\n{\r\n" + endless)
        for _ in range(4 * limits.head_bytes // 6_000):
            mallory.send(endless[-1:] * 6_000 if endless[-1:] != b"\n" else b"X: y\r\n" * 1_000)
            await asyncio.sleep(0)
        assert (await mallory.answer()).status == 400
        assert it.upstream.received == []


async def test_the_beginning_of_a_request_may_come_with_a_long_one(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        # As long as a head may be, but in one piece with what follows it.
        arguments = {"path": "x" * 40_000}
        long = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        body = json.dumps(long | {"params": {"name": "read_file", "arguments": arguments}}).encode()
        second = framed(alice, call("read_file", 2))
        alice.send(framed(alice, body) + second[:20])
        assert (await alice.answer()).json["id"] == 1
        alice.send(second[20:])
        assert (await alice.answer()).json["id"] == 2
