"""A call's objects are freed at once, without waiting for the garbage collector: while that goes through
some thousand of them, nobody's calls make progress.
"""

from __future__ import annotations

import asyncio
import gc
import json
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx
import pytest

from gateway.control_plane import ControlPlane
from gateway.http_exchange import Exchange
from gateway.http_server import Connection
from gateway.upstream_answer import UpstreamAnswer, UpstreamError
from gateway.upstream_connection import UpstreamConnection
from gateway.visits import Visit
from tests.gateway.raw_http import Client, Conversation, Upstream, answer_ok
from tests.gateway.world import eventually, quick, world

Calls = Callable[[Client], Awaitable[Any]]
_OURS: Final = (Visit, Exchange, UpstreamAnswer, UpstreamError, Connection, UpstreamConnection)
_CALL: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file"}}
_LIST: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@contextmanager
def left_behind() -> Iterator[Counter[str]]:
    """Count, by type, our objects that end inside the block and that only the garbage collector finds."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        kinds = (*_OURS, httpx.Response)
        found.update(type(one).__name__ for one in gc.garbage if isinstance(one, kinds))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def compressed(conversation: Conversation) -> None:
    body = zlib.compress(bytes(100_000), wbits=31)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    conversation.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def failing(conversation: Conversation) -> None:
    conversation.json({"error": "no"}, status=500)


async def not_json(conversation: Conversation) -> None:
    conversation.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{nothing}"
    )


async def not_http(conversation: Conversation) -> None:
    conversation.write(b"nothing of the kind\r\n\r\n")


async def vanishing(conversation: Conversation) -> None:
    conversation.vanish()


async def silent(_: Conversation) -> None:
    await asyncio.sleep(30)


async def endless(conversation: Conversation) -> None:
    """One event that never ends."""
    conversation.begin_stream()
    conversation.write(b"100000\r\ndata: ")
    conversation.write(b"x" * 1_048_000)


async def endless_stream(conversation: Conversation) -> None:
    conversation.begin_stream()
    while True:
        conversation.event(b'{"jsonrpc":"2.0","method":"notifications/message"}')
        await asyncio.sleep(0.01)


async def broken_stream(conversation: Conversation) -> None:
    conversation.begin_stream()
    conversation.event(b'{"jsonrpc":"2.0","method":"notifications/message"}')
    conversation.vanish()


async def too_long(conversation: Conversation) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[' + b" " * 200_000 + b"]}}"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    conversation.write(head % len(body) + body)


async def streaming(conversation: Conversation) -> None:
    conversation.begin_stream()
    conversation.event(b'{"jsonrpc":"2.0","method":"notifications/message"}')
    await asyncio.sleep(0.01)
    conversation.event(b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}')
    conversation.end_stream()


def tool(name: str) -> Calls:
    return lambda client: client.call(name, {})


async def leave(client: Client) -> None:
    body = json.dumps(_CALL).encode()
    client.send(client.head("POST", len(body), {}) + body)
    await asyncio.sleep(0.05)
    client.writer.transport.abort()


SERVERS: Final = {
    one.__name__: (one, tool("read_file"))
    for one in (answer_ok, streaming, compressed, failing, not_json, not_http, vanishing, silent, endless)
} | {
    "broken_stream": (broken_stream, tool("read_file")),
    "too_long": (too_long, lambda client: client.post(_LIST)),
    "a list of tools": (answer_ok, lambda client: client.post(_LIST)),
    "denied": (answer_ok, tool("delete_file")),
    "left by its client": (silent, leave),
    "a stream left by its client": (endless_stream, leave),
    "no request": (answer_ok, lambda client: client.post(b"{")),
    "an unknown method": (answer_ok, lambda client: client.post(_LIST | {"method": "nothing/known"})),
}


@pytest.mark.parametrize("kind", SERVERS)
async def test_no_call_waits_for_the_garbage_collector_however_it_ended(tmp_path: Path, kind: str) -> None:
    behaves, ask = SERVERS[kind]
    limits = quick(
        answer_seconds=0.2,
        orphan_seconds=0.1,
        collected_bytes=50_000,
        list_bytes=100_000,
        answer_bytes=100_000,
    )

    async def one_more() -> None:
        async with it.client() as client:
            with suppress(OSError, EOFError, ValueError):  # it may be cut off
                await ask(client)

    async with world(tmp_path, upstream=Upstream(behaves), limits=limits) as it:
        await one_more()
        with left_behind() as found:
            for _ in range(5):
                await one_more()
            await eventually(lambda: not it.http.running)
    assert not found


class _TakesRecords(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"through": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


async def test_records_that_were_sent_do_not_wait_for_the_garbage_collector() -> None:
    with HTTPServer(("127.0.0.1", 0), _TakesRecords) as server:
        Thread(target=server.serve_forever).start()
        try:
            async with ControlPlane(f"http://127.0.0.1:{server.server_port}", "plw_of_a_test") as control:
                await control.records(b"{}")
                with left_behind() as found:
                    for _ in range(3):
                        assert (await control.records(b"{}")).through == 1
        finally:
            server.shutdown()
    assert not found
