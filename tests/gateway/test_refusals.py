"""A request refused before it is judged gets a JSON-RPC answer, the right status and a line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.tokens import GRANT, new_token
from gateway.http_messages import refusal
from gateway.limits import Limits
from gateway.logs import _Lines
from gateway.observer import Unobserved
from gateway.refusals import Refusals
from gateway_config.wire.grants import NO_GRANTS
from tests.gateway.raw_http import Answer, Client, Conversation, Upstream, answer_ok
from tests.gateway.world import ACME, MALLORYS_SERVER, World, eventually, quick, world

CANARY = "canary-5f1c"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {"note": CANARY}}}
MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
Send = Callable[[World, Client], Awaitable[Answer]]


def posts(body: bytes | dict[str, Any], **headers: str | None) -> Send:
    async def send(_: World, alice: Client) -> Answer:
        return await alice.post(body, **headers)

    return send


def asks(method: str, **headers: str | None) -> Send:
    async def send(_: World, alice: Client) -> Answer:
        return await alice.ask(method, **headers)

    return send


def at(path: str) -> Send:
    async def send(_: World, alice: Client) -> Answer:
        alice.path = path
        return await alice.post(LIST)

    return send


def raw(data: bytes) -> Send:
    async def send(_: World, alice: Client) -> Answer:
        alice.send(data)
        return await alice.answer()

    return send


async def a_get_with_a_body(_: World, alice: Client) -> Answer:
    alice.send(alice.head("GET", 2, {}) + b"{}")
    return await alice.answer()


async def a_header_twice(_: World, alice: Client) -> Answer:
    twice = f"Mcp-Param-{CANARY}: 1\r\n" * 2
    alice.send(alice.head("POST", 2, {})[:-2] + twice.encode() + b"\r\n{}")
    return await alice.answer()


async def at_mallorys(_: World, alice: Client) -> Answer:
    alice.path = f"/mcp/{MALLORYS_SERVER}/"
    return await alice.post(LIST)


async def without_a_configuration(it: World, alice: Client) -> Answer:
    it.config.ready = False
    it.config.organizations.clear()
    return await alice.post(LIST)


async def revoked_between_head_and_body(it: World, alice: Client) -> Answer:
    body = json.dumps(LIST).encode()
    alice.send(alice.head("POST", len(body), {}) + body[:1])
    await asyncio.sleep(0.1)
    it.config.organizations[0] = replace(it.config.organizations[0], grants=NO_GRANTS)
    alice.send(body[1:])
    return await alice.answer()


def modern(method: str, name: str | None, header: str | None) -> Send:
    params = {"_meta": MODERN} | ({"name": name, "arguments": {"a": CANARY}} if name else {})
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return posts(body, mcp_protocol_version="2026-07-28", mcp_method=method, mcp_name=header)


_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": CANARY, "name ": 1}}
REFUSED: dict[str, tuple[Send, int]] = {
    "no JSON": (posts(f'{{"{CANARY}"'.encode()), 400),
    "a batch": (posts(json.dumps([LIST]).encode()), 400),
    "a key twice": (posts(f'{{"{CANARY}": 1, "{CANARY}": 2}}'.encode()), 400),
    "a key in another case": (posts(_CALL | {"Method": CANARY}), 400),
    "a byte order mark": (posts(b"\xef\xbb\xbf" + json.dumps(LIST).encode()), 400),
    "no method": (posts({"jsonrpc": "2.0", "id": 1, CANARY: 1}), 400),
    "an unknown method": (posts(LIST | {"method": CANARY}), 200),
    "a method of servers": (posts(LIST | {"method": "sampling/createMessage"}), 200),
    "an id that is none": (posts(LIST | {"id": {CANARY: 1}}), 400),
    "a body too large": (posts(b"{" + b" " * 2_000_000), 400),
    "another type": (posts(LIST, content_type=f"text/{CANARY}"), 400),
    "an encoding": (posts(LIST, content_encoding=CANARY), 400),
    "a session of nobody's": (posts(LIST, mcp_session_id=CANARY), 404),
    "an event of nobody's": (asks("GET", last_event_id=CANARY), 400),
    "a state of nobody's": (posts(LIST | {"params": {"requestState": CANARY}}), 400),
    "a revision nobody knows": (asks("GET", mcp_protocol_version=CANARY), 400),
    "a header that says otherwise": (modern("tools/call", "search", CANARY), 400),
    "a method unknown to 2026-07-28": (modern("initialize", None, None), 404),
    "no token": (posts(LIST, authorization=None), 401),
    "a token that is none": (posts(LIST, authorization=f"Bearer {CANARY}"), 401),
    "a token of nobody's": (posts(LIST, authorization=f"Bearer {new_token(GRANT)}"), 401),
    "another's server": (at_mallorys, 404),
    "an unknown path": (at(f"/{CANARY}"), 404),
    "an unknown stream": (at(f"/mcp/00000000-0000-7000-8000-0000000005e1/?stream=v1.{CANARY}"), 404),
    "another host": (posts(LIST, host=f"{CANARY}.example"), 403),
    "another origin": (posts(LIST, origin=f"https://{CANARY}.example"), 403),
    "another verb": (asks("PUT"), 405),
    "a GET with a body": (a_get_with_a_body, 400),
    "an expectation": (posts(LIST, expect=CANARY), 417),
    "a header twice": (a_header_twice, 400),
    "no HTTP": (raw(f"{CANARY}\r\n\r\n".encode()), 400),
    "a head too large": (posts(LIST, x_long=CANARY * 10_000), 431),
    "a head that does not come": (raw(f"POST /{CANARY}".encode()), 408),
    "no configuration": (without_a_configuration, 503),
    "a grant that was revoked meanwhile": (revoked_between_head_and_body, 401),
}


@pytest.mark.parametrize(("send", "status"), REFUSED.values(), ids=list(REFUSED))
async def test_every_refusal_is_an_answer_of_json_rpc_and_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, send: Send, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    limits = quick(body_grace_seconds=60.0)  # every body here arrives, so none may time out
    async with world(tmp_path, limits=limits) as it, it.client() as alice:
        answer = await send(it, alice)
        assert answer.status == status
        assert answer.json["jsonrpc"] == "2.0"
        assert answer.json["error"]["code"] < -32000
        assert answer.json["error"]["message"]
        await eventually(lambda: bool(_told(caplog)))
        assert it.upstream.received == []
    [line] = _told(caplog)
    assert (line["status"], line["count"]) == (status, 1)
    assert line["message"].startswith("refused: ")
    assert CANARY not in caplog.text + json.dumps(line)
    assert it.token not in caplog.text + json.dumps(line)


def _told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    records = [record for record in caplog.records if record.name == "gateway.refused"]
    return [json.loads(_Lines().format(record)) for record in records]


async def test_a_line_names_the_grant_where_a_token_said_whose_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with world(tmp_path) as it, it.client() as alice, it.client(token=new_token(GRANT)) as stranger:
        await alice.post(b"[]")
        await stranger.post(b"[]")
        grant = next(iter(it.config.organizations[0].grants.values())).id
    known, unknown = sorted(_told(caplog), key=lambda line: int(line["status"]))
    assert (known["organization"], known["grant"]) == (ACME, grant)
    assert "organization" not in unknown
    assert "grant" not in unknown


async def test_a_flood_of_refusals_is_no_flood_of_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with world(tmp_path) as it, it.client(token=new_token(GRANT)) as stranger:
        for _ in range(300):
            assert (await stranger.post(LIST)).status == 401
    lines = _told(caplog)
    assert sum(line["count"] for line in lines) == 300
    assert {line["status"] for line in lines} == {401}


def test_of_a_thousand_kinds_in_one_second_fifty_are_told_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    refusals = Refusals(Unobserved(), clock=lambda: now[0])
    for number in range(1_000):
        refusals.note(refusal(f"kind {number}"))
    refusals.tick()
    assert len(_told(caplog)) == 51
    assert sum(line["count"] for line in _told(caplog)) == 1_000
    refusals.note(refusal("one more"))
    now[0] += 0.9
    refusals.tick()
    assert len(_told(caplog)) == 51
    now[0] += 0.2
    refusals.tick()
    assert _told(caplog)[-1]["message"] == "refused: one more"


async def test_a_worker_with_too_many_connections_says_so_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    caplog.set_level(logging.INFO)
    limits: Limits = quick(connections=1, answer_seconds=60)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it, it.client() as alice:
        call = asyncio.create_task(alice.call("read_file", {}))
        await eventually(lambda: len(it.upstream.received) == 1)
        async with it.client() as second:
            assert (await second.answer()).status == 503
        go.set()
        assert (await call).status == 200
        async with it.client() as bob:
            assert (await bob.call("read_file", {})).status == 200
        await eventually(lambda: "1 gave way to newcomers" in caplog.text)
    assert [line["status"] for line in _told(caplog)] == [503]
