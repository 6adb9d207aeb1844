"""A list of tools shows nothing hidden, whatever was asked, however it arrives and however it is written."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.protocol.answers import LongAnswer
from gateway.protocol.tool_list import LONGEST_NAME, ListTooLong
from tests.gateway.raw_http import Client, Conversation, Upstream
from tests.gateway.world import eventually, quick, world

HIDDEN: Final = b"hidden_tool"
_REFERENCE: Final = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}}
ASKED: Final[dict[str, dict[str, Any]]] = {
    "tools/list": {},
    "tools/call": {"name": "read_file", "arguments": {}},
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}},
    "ping": {},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": "file:///public/a"},
    "prompts/list": {},
    "prompts/get": {"name": "p"},
    "completion/complete": _REFERENCE,
}
MODERN: Final = frozenset({"tools/list", "tools/call", "server/discover", "resources/list", "prompts/list"})


def listing(id: Any = 1, *, pad: int = 0, key: str = "tools") -> bytes:
    tools = [{"name": "read_file", "description": "x" * pad}, {"name": "hidden_tool"}]
    text = json.dumps({"jsonrpc": "2.0", "id": id, "result": {"more": 1, "tools": tools}})
    return text.replace('"tools"', f'"{key}"').encode()


def head(kind: str = "application/json", *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", *lines, "", ""]).encode()


def framed(body: bytes, kind: str = "application/json", *lines: str) -> bytes:
    return head(kind, f"Content-Length: {len(body)}", *lines) + body


def chunked(body: bytes, size: int = 7, kind: str = "application/json") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head(kind, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"


def events(body: bytes) -> bytes:
    return b"event: message\ndata: " + body + b"\n\n"


_STREAM: Final = "text/event-stream"
_LONG: Final = 100_000
COMES: Final[dict[str, bytes]] = {
    "with its length": framed(listing()),
    "long, with its length": framed(listing(pad=_LONG)),
    "too long to look through": framed(listing(pad=300_000)),
    "in pieces": chunked(listing()),
    "long, in pieces": chunked(listing(pad=_LONG), 30_000),
    "too long, in pieces": chunked(listing(pad=300_000), 30_000),
    "too long, and only then its name": chunked(b" " * 300_000 + listing(), 999),
    "until the connection ends": head() + listing(),
    "under another id": framed(listing(2)),
    "under another id, in pieces": chunked(listing("other")),
    "under no id": framed(listing(None)),
    "in other letters": chunked(listing(key="too\\u006cs")),
    "in capitals": framed(listing(key="TOOLS")),
    "twice": framed(listing()[:-1] + b',"result":' + listing()[:-1].partition(b'"result": ')[2] + b"}"),
    "in a batch": framed(b"[" + listing() + b"]"),
    "in a batch, in pieces": chunked(b"[" + listing() + b"]"),
    "compressed": framed(gzip.compress(listing()), "application/json", "Content-Encoding: gzip"),
    "compressed, unsaid": framed(gzip.compress(listing())),
    "not compressed, as it says": framed(listing(), "application/json", "Content-Encoding: gzip"),
    "in UTF-16": framed(listing().decode().encode("utf-16-le")),
    "in UTF-16, in pieces": chunked(listing(pad=300_000).decode().encode("utf-16-le"), 30_000),
    "in UTF-32": framed(listing().decode().encode("utf-32")),
    "behind white space, in UTF-16": chunked(b" " * 300_000 + listing().decode().encode("utf-16"), 30_000),
    "behind a byte order mark": framed(b"\xef\xbb\xbf" + listing()),
    "as text": framed(listing(), "text/plain"),
    "as a page": chunked(listing(), 7, "text/html; charset=utf-8"),
    "as JSON in UTF-16": framed(listing(), "application/json; charset=utf-16"),
    "as another JSON": framed(listing(), "application/vnd.api+json"),
    "as nothing": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(listing()) + listing(),
    "as an event": framed(events(listing()), _STREAM),
    "as an event in pieces": chunked(events(listing(2)), 5, _STREAM),
    "as a long event": chunked(events(listing(pad=_LONG)), 30_000, _STREAM),
    "as an event that is too long": chunked(events(listing(pad=300_000)), 30_000, _STREAM),
    "as an event of many lines": chunked(events(listing().replace(b", ", b",\ndata: ")), 9, _STREAM),
    "in an error": framed(listing()).replace(b"200 OK", b"400 Bad Request"),
    "in an error, in UTF-16": framed(listing().decode().encode("utf-16")).replace(b"200 OK", b"404 X"),
    "in an error of the server's": framed(listing()).replace(b"200 OK", b"500 X"),
    "on the way elsewhere": framed(listing(), "application/json", "Location: /").replace(b"200 OK", b"302 X"),
}


def message(method: str, *, modern: bool) -> tuple[bytes, dict[str, str | None]]:
    params: dict[str, Any] = dict(ASKED.get(method, {}))
    headers: dict[str, str | None] = {}
    if modern:
        params["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(asked).encode(), headers


async def everything(client: Client, request: bytes) -> bytes:
    """Every byte that answers the request, unparsed."""
    client.send(request)
    data = b""
    async with asyncio.timeout(60):
        while piece := await client.reader.read(65_536):
            data += piece
    return data


def _shows(data: bytes) -> bool:
    """Return whether the hidden name appears, in any encoding that a client might guess."""
    return any(HIDDEN in data.replace(b"\r\n", b"").replace(noise, b"") for noise in (b"", b"\0"))


@pytest.mark.parametrize("comes", COMES)
async def test_nothing_hidden_is_shown_however_it_comes(tmp_path: Path, comes: str) -> None:
    async def say(conversation: Conversation) -> None:
        conversation.write(COMES[comes])
        await conversation.writer.drain()
        conversation.writer.close()

    limits = quick(list_bytes=200_000)
    asked = [*((method, False) for method in ASKED), *((method, True) for method in sorted(MODERN))]
    async with world(tmp_path, upstream=Upstream(say), limits=limits) as it:
        for method, modern in asked:
            body, headers = message(method, modern=modern)
            async with it.client() as alice:
                request = alice.head("POST", len(body), headers | {"Connection": "close"}) + body
                said = await everything(alice, request)
            assert said.startswith(b"HTTP/1.1 "), (method, modern)
            assert not _shows(said), (method, modern, said[:300])
        for method in ("GET", "DELETE"):
            async with it.client() as alice:
                said = await everything(alice, alice.head(method, None, {"Connection": "close"}))
            assert not _shows(said), (method, said[:300])
        assert len(it.upstream.received) == len(asked) + 2


PASSES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "with its length": framed,
    "in pieces": lambda body: chunked(body, 30_000),
}


@pytest.mark.parametrize("comes", PASSES)
@pytest.mark.parametrize("size", [0, 100_000, 500_000])
async def test_an_answer_that_only_speaks_of_tools_passes_as_it_is(
    tmp_path: Path, comes: str, size: int
) -> None:
    result = {"structuredContent": {"tools": ["a saw"], "text": "x" * size}, "content": []}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()

    async def say(conversation: Conversation) -> None:
        conversation.write(PASSES[comes](body))

    limits = quick(list_bytes=1_000_000)
    async with world(tmp_path, upstream=Upstream(say), limits=limits) as it, it.client() as alice:
        answer = await alice.call("read_file", {})
        assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("comes", PASSES)
async def test_an_answer_of_any_length_passes_where_it_names_no_tools(tmp_path: Path, comes: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": ["x" * 60] * 9_000}}).encode()

    async def say(conversation: Conversation) -> None:
        conversation.write(PASSES[comes](body))

    limits = quick(list_bytes=100_000)
    async with world(tmp_path, upstream=Upstream(say), limits=limits) as it, it.client() as alice:
        answer = await alice.call("read_file", {})
        assert (answer.status, answer.body) == (200, body)


async def test_a_task_and_a_state_in_pieces_reach_the_client_wrapped(tmp_path: Path) -> None:
    """Without a Content-Length it is not known how short an answer will be."""

    async def say(conversation: Conversation) -> None:
        result = {"resultType": "input_required", "inputRequests": {}, "requestState": "the server's own"}
        conversation.write(chunked(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()))

    async with world(tmp_path, upstream=Upstream(say)) as it, it.client() as alice:
        body, headers = message("tools/call", modern=True)
        told = (await alice.post(body, **headers)).json["result"]
        assert told["requestState"] != "the server's own"
        asked = json.loads(body)
        asked["params"]["requestState"] = told["requestState"]
        await alice.post(asked, **headers)
        assert it.upstream.received[1].json["params"]["requestState"] == "the server's own"


async def test_many_long_answers_at_once_pass_though_not_all_find_room_to_be_looked_at(
    tmp_path: Path,
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": ["x" * 60] * 9_000}}).encode()
    go = asyncio.Event()

    async def say(conversation: Conversation) -> None:
        conversation.write(framed(body)[:-1])
        await go.wait()
        conversation.write(body[-1:])

    limits = quick(held_bytes=4_000_000, answer_grace_seconds=60)
    async with world(tmp_path, upstream=Upstream(say), limits=limits) as it:
        clients = [it.client() for _ in range(8)]
        for client in clients:
            await client.connect()
        calls = [asyncio.create_task(client.call("read_file", {})) for client in clients]
        await eventually(lambda: len(it.upstream.received) == 8)
        go.set()
        assert [(await call).body == body for call in calls] == [True] * 8
        await eventually(lambda: not it.gateway._rooms)
        for client in clients:
            client.writer.close()


@pytest.mark.parametrize("key", ['"tools"', '"' + "".join(f"\\u{ord(one):04x}" for one in "tools") + '"'])
def test_a_name_is_seen_wherever_the_pieces_part(key: str) -> None:
    assert len(key) <= LONGEST_NAME
    text = ('{"result":{' + key + ":[]}}").encode()
    for place in range(1, len(text)):
        watched = LongAnswer()
        with pytest.raises(ListTooLong):
            for piece in (text[:place], text[place:]):
                watched.look(piece)
    watched = LongAnswer()
    with pytest.raises(ListTooLong):
        for number in range(len(text)):
            watched.look(text[number : number + 1])
