"""A server that does its worst harms only its own callers, and no longer than their requests last."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.admitted import Admitted
from gateway.carried import _TasksSeen
from gateway.protocol.sse import EventStream
from gateway.sharing import Sharing
from gateway.upstream_answer import UpstreamAnswer
from tests.gateway.raw_http import Client, Conversation, Upstream, answer_ok
from tests.gateway.world import (
    ACME,
    MALLORYS_SERVER,
    SERVER,
    UMBRA,
    World,
    eventually,
    organization,
    quick,
    server,
    world,
)
from tests.steps import grows_no_faster_than_its_size

META = "policylayer/decision"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file", "arguments": {}}}


def send(client: Client, message: dict[str, Any] = CALL) -> None:
    body = json.dumps(message).encode()
    client.send(client.head("POST", len(body), {}) + body)


def code_of(answer: Any) -> str:
    return str(answer.json["result"]["_meta"][META]["code"])


async def hang(_: Conversation) -> None:
    await asyncio.sleep(30)


async def test_a_server_that_resets_every_connection_does_not_use_up_its_pool(tmp_path: Path) -> None:
    def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    listener = await asyncio.start_server(reset, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    limits = quick(connections_per_server=4, waiting_seconds=0.2)
    async with world(tmp_path, limits=limits) as it, it.client() as alice:
        it.reconfigure(url=f"http://127.0.0.1:{port}/mcp")
        for _ in range(30):
            await alice.call("read_file", {})
        pool = it.gateway._upstreams._pools[ACME_SERVER][1]
        await eventually(lambda: pool.unused)
    listener.close()


ACME_SERVER = (ACME, SERVER)


async def test_what_comes_of_one_answer_ends_no_call_that_its_connection_serves_by_then(
    tmp_path: Path,
) -> None:
    async def fails_some(conversation: Conversation) -> None:
        if conversation.request.json["method"] != "tools/list":
            return await answer_ok(conversation)
        head = b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        return conversation.write(head + b"2\r\n{}\r\n0\r\n\r\n")

    async def call(client: Client, message: dict[str, Any]) -> list[bool]:
        async with client:
            return [b"closed the connection" in (await client.post(message)).body for _ in range(40)]

    async with world(tmp_path, upstream=Upstream(fails_some), limits=quick(answer_seconds=20.0)) as it:
        messages = [CALL, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}] * 8
        broken = await asyncio.gather(*(call(it.client(), message) for message in messages))
    assert not any(map(any, broken))


async def test_a_server_that_keeps_nothing_open_still_serves_those_who_wait(tmp_path: Path) -> None:
    async def once(conversation: Conversation) -> None:
        await asyncio.sleep(0.02)
        conversation.result({"content": []}, headers="Keep-Alive: timeout=1\r\n")

    limits = quick(connections_per_server=2, waiting_seconds=60.0)
    async with world(tmp_path, upstream=Upstream(once), limits=limits) as it:
        clients = [it.client() for _ in range(8)]
        for client in clients:
            await client.connect()
        answers = await asyncio.gather(*(client.call("read_file", {}) for client in clients))
        assert [answer.status for answer in answers] == [200] * 8
        assert not any("isError" in answer.json["result"] for answer in answers)
        for client in clients:
            client.writer.close()


async def test_a_turn_that_comes_as_the_wait_ends_is_not_lost(tmp_path: Path) -> None:
    async def slowly(conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        conversation.result({"content": []})

    limits = quick(connections_per_server=1, waiting_seconds=0.1)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it:
        for _ in range(10):
            async with it.client() as one, it.client() as other:
                await asyncio.gather(one.call("read_file", {}), other.call("read_file", {}))
        async with it.client() as alice:
            assert "isError" not in (await alice.call("read_file", {})).json["result"]


async def test_a_call_under_way_is_timed_also_after_its_server_was_changed(tmp_path: Path) -> None:
    limits = quick(answer_seconds=0.5)
    async with world(tmp_path, upstream=Upstream(hang), limits=limits) as it, it.client() as alice:
        calling = asyncio.create_task(alice.call("read_file", {}))
        await eventually(lambda: len(it.upstream.received) == 1)
        it.reconfigure(url=it.upstream.url + "/moved")
        async with it.client() as other:
            send(other)
            await eventually(lambda: len(it.upstream.received) == 2)
        assert code_of(await asyncio.wait_for(calling, 60)) == "upstream_timeout"


async def test_a_call_whose_client_left_before_it_was_sent_does_not_go_on_for_ever(tmp_path: Path) -> None:
    async def endless(conversation: Conversation) -> None:
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event(": still here\n\n")
            await asyncio.sleep(0.01)

    async def slow_name(host: str, port: int) -> list[str]:
        await asyncio.sleep(0.2)
        return ["127.0.0.1"]

    limits = quick(orphan_seconds=0.3)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits, resolve=slow_name) as it:
        async with it.client() as alice:
            send(alice)
            await eventually(lambda: bool(it.log.decisions))
        await eventually(lambda: len(it.upstream.received) == 1)
        await eventually(lambda: it.upstream.gone == 1)
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "client_gone"


async def test_a_hidden_tool_is_taken_out_of_an_error_that_is_passed_on(tmp_path: Path) -> None:
    async def smuggle(conversation: Conversation) -> None:
        tools = [{"name": "read_file"}, {"name": "hidden_tool"}]
        conversation.json({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}, status=400)

    async with world(tmp_path, upstream=Upstream(smuggle)) as it, it.client() as alice:
        answer = await alice.post(CALL | {"method": "tools/list", "params": {}})
        assert answer.status == 400
        assert b"hidden_tool" not in answer.body


async def test_an_ambiguous_error_is_passed_on_without_its_body(tmp_path: Path) -> None:
    async def smuggle(conversation: Conversation) -> None:
        conversation.json(
            b'{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden_tool"}]}}', status=404
        )

    async with world(tmp_path, upstream=Upstream(smuggle)) as it, it.client() as alice:
        answer = await alice.post(CALL | {"method": "tools/list", "params": {}})
        assert (answer.status, answer.body) == (404, b"")


async def test_a_list_too_long_to_look_through_is_not_shown(tmp_path: Path) -> None:
    async def flood(conversation: Conversation) -> None:
        tool = '{"name":"read_file","description":"' + "x" * 1000 + '"}'
        tools = ",".join([tool] * 300)
        conversation.json(f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}]}}}}'.encode())

    limits = quick(list_bytes=200_000)
    async with world(tmp_path, upstream=Upstream(flood), limits=limits) as it, it.client() as alice:
        answer = await alice.post(CALL | {"method": "tools/list", "params": {}})
        assert answer.json["error"]["data"]["code"] == "upstream_too_large"


_AT_ONCE = 200_000


@pytest.mark.parametrize(
    "flood", [b"\n", b"\r", b":\n", b"a\n\n", b"id\n\n", b"id:1\n\n", b"data\n\n", b"\r\n\r\n"]
)
async def test_a_flood_of_tiny_events_holds_up_nobody(tmp_path: Path, flood: bytes) -> None:
    poured = 0

    async def pour(conversation: Conversation) -> None:
        nonlocal poured
        if "mallory" not in conversation.request.path:
            return await answer_ok(conversation)
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event(flood * (_AT_ONCE // len(flood)))
            await conversation.writer.drain()
            poured += 1
        return None

    async with world(tmp_path, upstream=Upstream(pour)) as it:
        mallorys = it.config.organizations[1]
        server = mallorys.servers[MALLORYS_SERVER]
        object.__setattr__(server, "upstream_url", it.upstream.url + "/mallory")
        async with (
            it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory,
            it.client() as alice,
        ):
            send(mallory)
            reading = asyncio.create_task(_read_on(mallory))
            await eventually(lambda: poured > 0)
            most = 0
            for _ in range(5):
                before = poured
                await alice.call("read_file", {})
                most = max(most, poured - before)
            reading.cancel()
            # However fast it comes, another organization's call does not wait until much of it was inspected.
            assert most <= 40


async def _read_on(client: Client) -> None:
    while await client.reader.read(65536):
        pass


def test_the_work_for_a_stream_grows_with_its_length_only() -> None:
    def passes(chunks: int) -> None:
        events = EventStream(lambda handle: handle, lambda data: None, 1 << 30)
        for _ in range(chunks):
            events.feed(b"\n" * 4_096)
            # Bytes that were passed on are not inspected again.
            assert events.held <= 4_096 + 1

    assert grows_no_faster_than_its_size(passes, 16)


async def test_events_held_back_for_one_organization_are_bounded_together(tmp_path: Path) -> None:
    held: list[int] = []

    async def endless(conversation: Conversation) -> None:
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event("data: " + "x" * 50_000)
            held.append(50_000)
            await conversation.writer.drain()
            await asyncio.sleep(0)

    limits = quick(held_bytes=2_000_000, stream_idle_seconds=1.0)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits) as it:
        clients = [it.client() for _ in range(5)]
        for client in clients:
            await client.connect()
            send(client)
        answers = await asyncio.gather(*(client.answer() for client in clients))
        for answer in answers:
            told = json.loads(answer.events[-1])
            assert told["result"]["_meta"][META]["code"] == "upstream_too_large"
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            it.upstream.behaviour = answer_ok
            assert (await mallory.call("read_file", {})).status == 200
        assert not it.gateway._rooms
        for client in clients:
            client.writer.close()


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
async def test_a_list_in_another_encoding_is_not_shown(tmp_path: Path, encoding: str) -> None:
    """Some clients guess the encoding of JSON, and would read what nobody inspected."""

    async def disguise(conversation: Conversation) -> None:
        tools = [{"name": "hidden_tool"}]
        text = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
        conversation.json(text.encode(encoding).replace(b'"', b"+ACI-" if encoding == "utf-7" else b'"'))

    async with world(tmp_path, upstream=Upstream(disguise)) as it, it.client() as alice:
        answer = await alice.post(LIST)
        assert answer.json["error"]["data"]["code"] == "upstream_invalid"


@pytest.mark.parametrize("status", [204, 205])
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
async def test_after_an_answer_without_a_body_comes_the_next_answer(
    tmp_path: Path, status: int, kind: str
) -> None:
    async def says_nothing(conversation: Conversation) -> None:
        if conversation.request.json["method"] == "tools/call":
            return await answer_ok(conversation)
        length = "" if status == 204 else "Content-Length: 0\r\n"
        conversation.write(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{length}\r\n".encode())
        return None

    async with world(tmp_path, upstream=Upstream(says_nothing)) as it, it.client() as alice:
        assert (await alice.post(LIST)).json["error"]["data"]["code"] == "upstream_invalid"
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await alice.post(told)
        assert answer.status == status
        assert "transfer-encoding" not in answer.headers
        assert (await alice.call("search")).json["result"]["content"][0]["text"] == "done"


async def test_lists_that_never_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    async def endless(conversation: Conversation) -> None:
        begun = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"' + b"x" * 300_000
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n\r\n"
        conversation.write(head + begun)
        await asyncio.sleep(60)

    limits = quick(held_bytes=1_000_000, answer_grace_seconds=60)
    async with world(tmp_path, upstream=Upstream(endless), limits=limits) as it:
        clients = [it.client() for _ in range(8)]
        for client in clients:
            await client.connect()
            send(client, LIST)
        answers = [asyncio.create_task(client.answer()) for client in clients]
        # At most three of them find room; fewer, if several are refused before one of them has left.
        await eventually(lambda: sum(answer.done() for answer in answers) >= 5)
        assert it.gateway._rooms._held.get(ACME, 0) <= 1_000_000
        for answer in answers:
            if answer.done():
                assert answer.result().json["error"]["data"]["code"] == "upstream_too_large"
        it.upstream.behaviour = answer_ok
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            assert (await mallory.call("read_file", {"path": "x" * 100_000})).status == 200
        for client, waiting in zip(clients, answers, strict=True):
            waiting.cancel()
            client.writer.close()


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
async def test_what_clients_leave_unread_is_bounded_for_their_organization(tmp_path: Path, kind: str) -> None:
    """Each leaves less unread than would stop a server; together it is more than they may."""

    async def pour(conversation: Conversation) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        conversation.write(head.encode())
        conversation.event("data: 1\n\n" if kind == "text/event-stream" else "{")
        while not conversation.writer.is_closing():
            conversation.event(b":" + b" " * 65_000 + b"\n\n")
            await conversation.writer.drain()

    limits = quick(held_bytes=1_500_000, stalled_seconds=600, orphan_seconds=0.5, answer_seconds=60)
    async with world(tmp_path, upstream=Upstream(pour), limits=limits) as it:
        clients = [it.client() for _ in range(10)]
        for client in clients:
            await client.connect()
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            send(client)
        await eventually(lambda: len(it.upstream.received) == 10)
        # Five that read nothing take all the room there is.
        await eventually(lambda: len(it.log.completions) >= 4)
        assert {end.upstream_code for end in it.log.completions} == {"upstream_too_large"}
        await eventually(lambda: it.upstream.gone == len(it.log.completions))
        assert it.http.running <= 6
        for client in clients:
            client.writer.transport.abort()
        it.upstream.behaviour = answer_ok
        await eventually(lambda: not it.gateway._rooms, 60)
        async with it.client() as alice:
            assert (await alice.call("read_file", {})).status == 200


async def test_what_comes_while_others_have_their_turn_is_bounded_for_its_organization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their clients read all they are given, but nothing is given to them before its turn."""
    go = asyncio.Event()

    async def turn(_: object, organization: str) -> None:
        await go.wait()

    async def pour(conversation: Conversation) -> None:
        conversation.begin_stream()
        while not conversation.writer.is_closing():
            conversation.event(b": " + b" " * 65_000 + b"\n\n")
            await conversation.writer.drain()

    limits = quick(held_bytes=2_000_000, answer_seconds=60, stream_idle_seconds=60, orphan_seconds=0.5)
    async with world(tmp_path, upstream=Upstream(pour), limits=limits) as it:
        monkeypatch.setattr(Sharing, "owes", lambda *_: True)
        monkeypatch.setattr(Sharing, "turn", turn)
        clients = [it.client() for _ in range(12)]
        for client in clients:
            await client.connect()
            send(client)
        await eventually(lambda: len(it.upstream.received) == 12 and it.gateway._rooms.scarce(ACME))
        await asyncio.sleep(0.5)
        answers = list(_held_answers(it))
        assert sum(answer.received for answer in answers if not answer.left) <= 3_500_000
        assert it.gateway._rooms._held[ACME] <= 2_000_000
        go.set()
        for client in clients:
            client.writer.transport.abort()
        await eventually(lambda: not it.gateway._rooms, 60)


def _held_answers(it: World) -> Iterator[UpstreamAnswer]:
    pool = it.gateway._upstreams._pools[ACME_SERVER][1]
    return (one._answer for one in pool._all if one._answer is not None and not one.closed)


def test_nobody_makes_the_gateway_forget_the_tasks_of_others() -> None:
    acme, umbra = (
        Admitted(b"", loaded, next(iter(loaded.grants.values())), loaded.servers[SERVER])
        for loaded in (organization(name, server("http://127.0.0.1/"), {name: {}}) for name in (ACME, UMBRA))
    )
    seen = _TasksSeen(10)
    seen.remember(acme, "mine", "search")
    for number in range(100):
        seen.remember(umbra, f"{number}", "search")
    assert seen.tool_of(acme, "mine") == "search"
    assert seen.tool_of(umbra, "mine") is None
    assert [seen.tool_of(umbra, f"{number}") for number in (90, 91, 99)] == [None, "search", "search"]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize(
    "endless",
    [b"0\r\nX: ", b"0\r\n" + b"X: y\r\n" * 9, b"1;", b"0" * 99],
    ids=["trailer", "trailers", "extension", "size"],
)
async def test_what_never_ends_after_a_chunk_is_not_collected(
    tmp_path: Path, kind: str, endless: bytes
) -> None:
    sent = 0

    async def behave(conversation: Conversation) -> None:
        nonlocal sent
        lines = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        conversation.write(lines.encode() + b"1\r\n \r\n" + endless)
        piece = endless[-1:] * 60_000 if endless[-1:] != b"\n" else b"X: y\r\n" * 10_000
        while True:
            conversation.write(piece)
            await conversation.writer.drain()
            sent += len(piece)
            await asyncio.sleep(0)

    limits = quick(answer_grace_seconds=30.0)
    async with world(tmp_path, upstream=Upstream(behave), limits=limits) as it, it.client() as alice:
        answer = await alice.call("read_file")
        told = json.loads(answer.events[-1] if answer.events else answer.body)
        assert told["result"]["_meta"][META]["code"] == "upstream_invalid"
        await eventually(lambda: it.upstream.gone == 1)
        assert sent < 20_000_000
