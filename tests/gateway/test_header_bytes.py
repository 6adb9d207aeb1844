"""Every byte that is not allowed in a head is refused, from clients and from servers, and goes no further."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.raw_http import Answer, Conversation, Upstream, answer_ok
from tests.gateway.world import World, quick, world

CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search"}}).encode()
CONTROLS = [byte for byte in (*range(0x20), 0x7F) if byte != 0x09]
NO_NAME = [*range(0x21), *b'"(),/:;<=>?@[\\]{}', *range(0x7F, 0x100)]
GOOD = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'


def request(it: World, *, line: bytes = b"", more: bytes = b"") -> bytes:
    path = next(iter(it.config.organizations[0].servers)).encode()
    line = line or b"POST /mcp/%b/ HTTP/1.1\r\n" % path
    return (
        b"%bHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n%b\r\n%b" % (line, it.token.encode(), len(CALL), more, CALL)
    )


async def refused(it: World, sent: bytes) -> bool:
    """Return whether the request was refused with one well-formed error and nothing forwarded."""
    it.upstream.received.clear()
    async with it.client() as client:
        client.send(sent)
        answer = await asyncio.wait_for(client.answer(), 60)
        if answer.headers.get("connection") == "close":
            assert await asyncio.wait_for(client.closed(), 60)
    error = answer.json
    told = error["jsonrpc"] == "2.0" and error["id"] is None and error["error"]["code"] in (-32600, -32700)
    return told and answer.status in (400, 403, 404, 405) and not it.upstream.received


async def test_the_plain_request_is_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(request(it))
        assert (await alice.answer()).status == 200 and len(it.upstream.received) == 1


async def test_a_control_character_in_a_value_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=20.0)) as it:
        for byte in CONTROLS:
            if byte == 0x0A:
                continue  # ends the line: see below
            for value in (b"a%cb", b"%ca", b"a%c"):
                # A carriage return before the newline is part of the line's end: nothing is hidden in it.
                if (byte, value) != (0x0D, b"a%c"):
                    assert await refused(it, request(it, more=b"Traceparent: " + value % byte + b"\r\n")), (
                        byte
                    )


async def test_what_is_no_name_of_a_header_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=20.0)) as it:
        for byte in NO_NAME:
            if byte not in (0x0A, 0x0D, ord(":")):
                assert await refused(it, request(it, more=b"Trace%cparent: a\r\n" % byte)), byte
        for line in (b": a\r\n", b"Traceparent\r\n", b"Traceparent : a\r\n", b" Traceparent: a\r\n"):
            assert await refused(it, request(it, more=line)), line


async def test_a_line_that_goes_on_on_the_next_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=20.0)) as it:
        for fold in (b"\r\n ", b"\r\n\t", b"\n ", b"\r "):
            assert await refused(it, request(it, more=b"Traceparent: a%bb\r\n" % fold)), fold
            assert await refused(it, request(it, more=b"Traceparent:%ba\r\n" % fold)), fold


async def test_lines_that_end_otherwise_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=20.0)) as it:
        for end in (b"\n", b"\r", b"\n\r", b"\r\r\n"):
            assert await refused(it, request(it, more=b"Traceparent: a%bTracestate: b\r\n" % end)), end


async def test_a_request_line_holds_nothing_that_is_not_printed(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(head_seconds=20.0)) as it:
        path = b"/mcp/" + next(iter(it.config.organizations[0].servers)).encode() + b"/"
        for byte in (*CONTROLS, 0x09, 0x20, *range(0x80, 0x100, 17)):
            for line in (
                b"PO%cST %b HTTP/1.1\r\n" % (byte, path),
                b"POST %b%c HTTP/1.1\r\n" % (path, byte),
                b"POST %b?a=%cb HTTP/1.1\r\n" % (path, byte),
                b"POST %b HTTP/1.1%c\r\n" % (path, byte),
            ):
                # To the parser several spaces before the version are one; nothing else is read into them.
                if not (byte == 0x0D and line.endswith(b"\r\r\n")) and b"/  HTTP" not in line:
                    assert await refused(it, request(it, line=line)), line


async def test_no_refusal_repeats_what_was_sent_and_each_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.refused")
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(request(it, more=b"X-Canary\x01: kanarienvogel\r\n"))
        answer = await alice.answer()
        assert b"kanarienvogel" not in answer.body and b"Canary" not in answer.body
    assert [record.message for record in caplog.records] == ["refused: This is not a request we can read."]


OF_A_CONNECTION_OR_A_PROXY = (
    "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE",
    "Trailer", "Upgrade", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "Via", "Cookie", "Cookie2", "X-Api-Key",
    "X-Auth-Token", "X-Forwarded-User", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override",
    "Accept-Encoding", "Origin", "Referer", "User-Agent", "Mcp-Proxy-Auth", "Mcp_Session_Id",
)  # fmt: skip


@pytest.mark.parametrize("revision", [None, "2025-11-25", "2026-07-28"])
async def test_no_header_of_a_connection_a_proxy_or_a_login_reaches_the_server(
    tmp_path: Path, revision: str | None
) -> None:
    values = {"Connection": "keep-alive, mcp-session-id", "Origin": "https://app.example", "Upgrade": "h2c"}
    said = {name: values.get(name, "kanarienvogel") for name in OF_A_CONNECTION_OR_A_PROXY}
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "search"},
    }
    if revision == "2026-07-28":
        message["params"]["_meta"] = {"io.modelcontextprotocol/protocolVersion": revision}
        said |= {"Mcp-Method": "tools/call", "Mcp-Name": "search"}
    if revision is not None:
        said["MCP-Protocol-Version"] = revision

    async def no_streams(conversation: Conversation) -> None:
        if conversation.request.method == "POST":
            return await answer_ok(conversation)
        return conversation.json({}, status=405)

    async with world(tmp_path, upstream=Upstream(no_streams)) as it, it.client(**said) as alice:
        assert (await alice.post(message)).status == 200
        assert (await alice.ask("GET")).status == 405
        assert len(it.upstream.received) == 2
        for sent in it.upstream.received:
            ours = {"accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"}
            ours |= {"mcp-method", "mcp-name", "mcp-protocol-version", "policylayer-hop"}
            assert sent.headers.keys() <= ours
            assert "kanarienvogel" not in " ".join(sent.headers.values())
            assert it.token not in " ".join(sent.headers.values())


# From servers


def saying(head: bytes) -> Upstream:
    async def behave(conversation: Conversation) -> None:
        length = b"Content-Length: %d\r\n" % len(GOOD)
        conversation.write(head.replace(b"LENGTH\r\n", length) + b"\r\n" + GOOD)

    return Upstream(behave)


async def told(tmp_path: Path, head: bytes) -> tuple[Answer, World]:
    async with world(tmp_path, upstream=saying(head)) as it, it.client() as alice:
        return await alice.call("search"), it


def is_nonsense(answer: Answer) -> bool:
    result = answer.json["result"]
    return (
        bool(result.get("isError")) and result["_meta"]["policylayer/decision"]["code"] == "upstream_invalid"
    )


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLENGTH\r\n"


@pytest.mark.parametrize(
    "head",
    [
        *(OK + b"Mcp-Session-Id: a%cb\r\n" % byte for byte in (0x00, 0x01, 0x0B, 0x0D, 0x1B, 0x7F)),
        *(OK + b"Mcp-Session%cId: a\r\n" % byte for byte in (0x00, 0x01, 0x20, 0x28, 0x7F, 0xE9)),
        *(OK + b"X: a%bSet-Cookie: b\r\n" % fold for fold in (b"\r\n ", b"\r\n\t", b"\r")),
        OK + b"Content-Length : 3\r\n",
        OK + b": a\r\n",
        b"HTTP/1.1 2\x0100 OK\r\n" + OK[17:],
        b"HTTP/1.1  200 OK\r\n" + OK[17:],
        b"HTTP/1.2 200 OK\r\n" + OK[17:],
        b"HTTP/2.0 200 OK\r\n" + OK[17:],
        b"ICY 200 OK\r\n" + OK[17:],
    ],
)
async def test_a_head_of_a_server_that_is_none_is_told_as_nonsense(tmp_path: Path, head: bytes) -> None:
    answer, _ = await told(tmp_path, head)
    assert is_nonsense(answer), answer.body


HEADERS_OF_OURS = re.compile(r"date|content-type|content-length|cache-control|mcp-session-id|connection")


@pytest.mark.parametrize(
    "line",
    [
        b"Set-Cookie: a=b\r\n",
        b"Location: http://evil.example/\r\n",
        b"Access-Control-Allow-Origin: *\r\n",
        b"X-Powered-By: \xff\xfe\r\n",
        b"Connection: Mcp-Session-Id\r\n",
        b"Strict-Transport-Security: max-age=1\r\n",
        b"Link: <http://evil.example/>; rel=preload\r\n",
    ],
)
async def test_a_servers_own_headers_go_no_further(tmp_path: Path, line: bytes) -> None:
    answer, _ = await told(tmp_path, OK + line)
    assert answer.body == GOOD
    assert all(HEADERS_OF_OURS.fullmatch(name) for name in answer.headers), answer.headers


async def test_a_session_of_a_server_is_wrapped_whatever_bytes_it_has(tmp_path: Path) -> None:
    for session in (b"a b", b"\xe9", b'"a"; b=c', b"a\tb", b"a" * 2000):
        answer, _ = await told(tmp_path / session.hex()[:20], OK + b"Mcp-Session-Id: %b\r\n" % session)
        assert re.fullmatch(r"[\x21-\x7e]+", answer.headers["mcp-session-id"])
