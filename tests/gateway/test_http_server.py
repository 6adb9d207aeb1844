"""HTTP framing: requests that two readers could read in two ways, that are too large or too slow."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import pytest
import uvloop

from tests.gateway.raw_http import Client, Conversation, Upstream
from tests.gateway.world import quick, world

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{}}}'


def chunked(client: Client, *chunks: bytes, more: str = "") -> bytes:
    head = client.head("POST", None, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    return head + b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), more.encode(), chunk) for chunk in chunks)


async def test_a_chunked_request_is_read_as_a_whole(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(chunked(alice, CALL[:10], CALL[10:40], more=";ext=1"))
        await asyncio.sleep(0.05)
        assert not it.upstream.received
        alice.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CALL[40:]), CALL[40:]))
        assert (await alice.answer()).json["result"]["content"][0]["text"] == "done"


async def test_requests_sent_at_once_are_answered_in_order(tmp_path: Path) -> None:
    async def slow_first(conversation: Conversation) -> None:
        await asyncio.sleep(0.2 if len(it.upstream.received) == 1 else 0)
        conversation.result({"n": conversation.request.json["id"]})

    async with world(tmp_path, upstream=Upstream(slow_first)) as it, it.client() as alice:
        bodies = [CALL.replace(b'"id":1', b'"id":%d' % n) for n in range(5)]
        alice.send(b"".join(alice.head("POST", len(body), {}) + body for body in bodies))
        assert [(await alice.answer()).json["result"]["n"] for _ in bodies] == [0, 1, 2, 3, 4]


async def test_a_flood_of_requests_at_once_is_cut_off(tmp_path: Path) -> None:
    async def hang(_: Conversation) -> None:
        await asyncio.sleep(5)

    async with world(tmp_path, upstream=Upstream(hang)) as it, it.client() as alice:
        alice.send((alice.head("POST", len(CALL), {}) + CALL) * 500)
        await asyncio.sleep(0.3)
        assert len(it.upstream.received) == 1


async def test_a_request_that_comes_byte_by_byte_is_the_same_request(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for byte in alice.head("POST", len(CALL), {}) + CALL:
            alice.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await alice.answer()).status == 200
        assert len(it.upstream.received) == 1


async def test_a_client_that_asks_first_is_told_to_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(alice.head("POST", len(CALL), {"Expect": "100-continue"}))
        assert await alice.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        alice.send(CALL)
        assert (await alice.answer()).status == 200
        assert len(it.upstream.received) == 1


async def test_a_client_that_asks_first_without_a_token_is_told_no(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(token="junk") as stranger:
        stranger.send(stranger.head("POST", 500_000, {"Expect": "100-continue"}))
        assert (await stranger.answer()).status == 401
        assert await stranger.closed()


async def test_a_refusal_does_not_wait_for_a_body_that_never_comes(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(token="junk") as stranger:
        stranger.send(stranger.head("POST", 500_000, {}) + b"{")
        answer = await asyncio.wait_for(stranger.answer(), 60)
        assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_a_refusal_of_a_whole_request_keeps_the_connection(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(token="junk") as stranger:
        for _ in range(3):
            assert (await stranger.call("read_file", {})).status == 401


@pytest.mark.parametrize(
    "request_text",
    [
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Content-Length: +4\r\n\r\nabcd",
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 0x4\r\n\r\nabcd",
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 99999999999999999999\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}Content-Length : 4\r\n\r\nabcd",
        "POST {path} HTTP/1.1\r\n{head}X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}X: a\x00b\r\nContent-Length: 0\r\n\r\n",
        "POST {path} HTTP/1.1\r\n{head}X: a\rY: b\r\nContent-Length: 0\r\n\r\n",
        "POST {path} HTTP/1.1\n{head}\n\n",
        "POST {path} HTTP/2.0\r\n{head}\r\n",
        "POST {path} HTTP/0.9\r\n{head}\r\n",
        "POST {path}\r\n{head}\r\n",
        "POST {path} HTTP/1.1\r\n{head}Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "CONNECT evil:443 HTTP/1.1\r\n{head}\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
async def test_odd_framing_ends_the_connection_with_nothing_forwarded(
    tmp_path: Path, request_text: str
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {it.token}\r\nContent-Type: application/json\r\n"
        alice.send(request_text.replace("{path}", alice.path).replace("{head}", head).encode("latin-1"))
        answer = await alice.answer()
        assert 400 <= answer.status < 500
        assert await asyncio.wait_for(alice.closed(), 60)
        assert not it.upstream.received


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Content-Type",
        "Host",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "Mcp-Method",
        "Mcp-Name",
        "Mcp-Param-A",
        "Last-Event-ID",
        "Origin",
    ],
)
async def test_a_header_that_must_be_one_is_refused_twice(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        usual = {
            "Authorization": f"Bearer {it.token}",
            "Content-Type": "application/json",
            "Host": "127.0.0.1",
        }
        value = usual.get(name, "a")
        head = alice.head("POST", len(CALL), {name: value})
        alice.send(head[:-2] + f"{name.lower()}: {value}\r\n\r\n".encode() + CALL)
        assert (await alice.answer()).status == 400
        assert not it.upstream.received


async def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(body_bytes=10_000)) as it:
        async with it.client() as alice:
            alice.send(alice.head("POST", 10_001, {}))
            answer = await alice.answer()
            assert (answer.status, answer.json["error"]["code"]) == (400, -32600)
        async with it.client() as alice:
            alice.send(chunked(alice, b"x" * 6_000, b"x" * 6_000))
            assert (await alice.answer()).status == 400
        async with it.client() as alice:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": ""}})
            assert (await alice.post(body.replace('""', f'"{"x" * 9_000}"').encode())).status == 200
        assert len(it.upstream.received) == 1


async def test_a_head_too_large_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        many = b"\r\n".join(b"X-%d: a" % n for n in range(200))
        again = b"\r\n".join([b"X: a"] * 12_000)
        for head in (b"X-A: " + b"a" * 40_000, many, again):
            async with it.client() as alice:
                alice.send(alice.head("POST", len(CALL), {})[:-2] + head + b"\r\n\r\n" + CALL)
                assert (await alice.answer()).status == 431
                assert await alice.closed()
        async with it.client() as alice:
            alice.send(b"GET /" + b"a" * 20_000)
            await asyncio.sleep(0.05)
            alice.send(b"a" * 20_000)
            assert (await alice.answer()).status == 431
        assert not it.upstream.received


async def test_a_head_that_trickles_in_is_given_up(tmp_path: Path) -> None:
    async with (
        world(tmp_path, limits=quick(head_seconds=0.4, linger_seconds=60.0)) as it,
        it.client() as slow,
    ):
        head = slow.head("POST", len(CALL), {})
        sent = 0
        for byte in head:
            sent += 1
            slow.send(bytes([byte]))
            await asyncio.sleep(0.05)
            if slow.reader._buffer:  # type: ignore[attr-defined]  # something came back
                break
        assert (await slow.answer()).status == 408
        assert sent < len(head)


async def test_a_body_that_trickles_in_is_given_up(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(linger_seconds=60.0)) as it, it.client() as slow:
        slow.send(slow.head("POST", len(CALL), {}))
        for byte in CALL[:40]:
            slow.send(bytes([byte]))
            await asyncio.sleep(0.02)
        answer = await slow.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert not it.upstream.received


def test_what_came_while_the_worker_stood_still_came_in_time(tmp_path: Path) -> None:
    """uvloop, the worker's event loop, runs its timers before it reads."""

    async def stand_still(bell: socket.socket, ring: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        def read_nothing_else() -> None:
            loop.remove_reader(bell)
            alice.sendall(CALL)
            time.sleep(0.6)

        async with world(tmp_path, limits=quick(body_grace_seconds=0.3)) as it:
            asks: dict[str, str | None] = {"Content-Type": "application/json", "Expect": "100-continue"}
            with socket.create_connection(("127.0.0.1", it.http.port), 60) as alice:
                alice.sendall(it.client().head("POST", len(CALL), asks))
                assert (await asyncio.to_thread(alice.recv, 4096)).startswith(b"HTTP/1.1 100 ")
                loop.add_reader(bell, read_nothing_else)
                ring.send(b"!")
                assert (await asyncio.to_thread(alice.recv, 4096)).startswith(b"HTTP/1.1 200 ")

    bell, ring = socket.socketpair()
    with bell, ring:
        uvloop.run(stand_still(bell, ring))


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=0.4)) as it, it.client() as silent:
        assert await asyncio.wait_for(silent.closed(), 60)


async def test_slow_connections_hold_up_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=300.0)) as it, it.client() as alice:
        slow = [it.client() for _ in range(200)]
        for client in slow:
            await client.connect()
            client.send(b"POST / HTTP/1.1\r\nX-A: ")
        for _ in range(20):
            assert (await alice.call("read_file", {})).status == 200
        for client in slow:  # each is still waited for, and none was sent anything
            assert not client.reader.at_eof()
            client.writer.close()


async def test_a_connection_is_closed_when_the_client_wishes_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(CALL, connection="close")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await alice.closed()


async def test_draining_finishes_the_call_and_takes_no_more(tmp_path: Path) -> None:
    async def slowly(conversation: Conversation) -> None:
        await asyncio.sleep(0.3)
        conversation.result({})

    async with world(tmp_path, upstream=Upstream(slowly)) as it, it.client() as alice, it.client() as idle:
        assert (await idle.ask("PUT")).status == 405
        call = asyncio.create_task(alice.call("read_file", {}))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(it.http.close())
        assert await idle.closed()
        with pytest.raises(ConnectionError):
            await it.client().connect()
        assert (await call).json["result"] == {}
        assert await alice.closed()
        await closing


async def test_a_head_request_gets_no_body(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.path = "/healthz"
        alice.send(alice.head("HEAD", None, {}))
        assert (await alice.answer_head()).headers["content-length"] == "3"
        assert (await alice.ask("GET")).body == b"ok\n"


async def test_who_speaks_http_10_gets_a_stream_that_ends_with_its_connection(tmp_path: Path) -> None:
    async def two_events(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.message({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        conversation.message({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(two_events)) as it, it.client() as alice:
        head = alice.head("POST", len(CALL), {"Connection": "keep-alive"}).replace(b"HTTP/1.1", b"HTTP/1.0")
        alice.send(head + CALL)
        answer = await alice.answer_head()
        assert "transfer-encoding" not in answer.headers and "content-length" not in answer.headers
        assert answer.headers["connection"] == "close"
        events = await asyncio.wait_for(alice.reader.read(), 60)
        assert events.count(b"data: ") == 2 and events.endswith(b"\n\n")


async def test_of_requests_sent_at_once_what_follows_a_refused_one_is_still_judged(tmp_path: Path) -> None:
    denied = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {"name": "delete_file", "arguments": {}},
        }
    ).encode()
    async with world(tmp_path) as it, it.client() as alice:
        broken = b'{"jsonrpc": "2.0", "id": 6, "id": 6}'
        alice.send(b"".join(alice.head("POST", len(one), {}) + one for one in (broken, denied, CALL)))
        first, second, third = [await alice.answer() for _ in range(3)]
        assert (first.status, first.json["error"]["code"]) == (400, -32600)
        assert second.json["id"] == 7 and second.json["result"]["isError"]
        assert third.status == 200 and "isError" not in third.json["result"]
        assert len(it.upstream.received) == 1


async def test_a_target_too_long_is_refused_however_it_comes(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.path += "?" + "a" * 40_000
        assert (await alice.call("read_file", {})).status == 431
        assert not it.upstream.received


async def test_deadlines_hold_though_looking_after_them_failed_once(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=0.3)) as it:
        looked: list[float] = []

        def fails_once(now: float) -> None:
            looked.append(now)
            if len(looked) == 1:
                raise RuntimeError("a fault of ours")

        it.http.handler.tick = fails_once  # type: ignore[method-assign]
        async with it.client() as alice:
            assert await asyncio.wait_for(alice.closed(), 60)
        assert len(looked) > 1
