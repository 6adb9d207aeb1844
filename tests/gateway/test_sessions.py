"""A session or event id that a server gave to one grant opens nothing for another."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from common.sealing import Keyring
from common.tokens import GRANT, new_token
from gateway.admitted import Admitted
from gateway.handles import Handles
from tests.gateway.raw_http import Conversation, Upstream
from tests.gateway.world import ACME, MALLORYS_SERVER, SERVER, organization, server, world

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


async def with_sessions(conversation: Conversation) -> None:
    headers = conversation.request.headers
    if conversation.request.method == "GET":
        conversation.begin_stream()
        conversation.event(f"id: after/{headers.get('last-event-id', 'nothing')}\ndata: {{}}\n\n")
        conversation.end_stream()
    elif conversation.request.method == "DELETE":
        conversation.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif conversation.request.json.get("method") == "initialize":
        conversation.result({}, headers="Mcp-Session-Id: upstream-session\r\n")
    else:
        conversation.result({"session": headers.get("mcp-session-id")})


async def test_a_session_id_reaches_the_client_wrapped_and_the_server_as_it_was(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        assert "upstream-session" not in session
        answer = await alice.post(PING, mcp_session_id=session)
        assert answer.json["result"] == {"session": "upstream-session"}
        assert (await alice.ask("DELETE", mcp_session_id=session)).status == 204
        assert it.upstream.received[-1].headers["mcp-session-id"] == "upstream-session"


async def test_any_worker_knows_a_session_another_one_wrapped(tmp_path: Path) -> None:
    upstream = Upstream(with_sessions)
    async with world(tmp_path, upstream=upstream) as one, one.client() as alice:
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        async with world(tmp_path / "other", upstream=Upstream(with_sessions)) as other:
            other.config.organizations = one.config.organizations
            async with other.client(token=one.token) as again:
                assert (await again.post(PING, mcp_session_id=session)).status == 200


@pytest.mark.parametrize(
    "spoilt",
    [
        "upstream-session",
        "",
        "x",
        "{}x",
        "x{}",
        "dXBzdHJlYW0tc2Vzc2lvbg",
        "dXBzdHJlYW0tc2Vzc2lvbg.",
        ".{}",
        "{}==",
    ],
)
async def test_a_session_id_that_is_not_ours_is_404_with_nothing_forwarded(
    tmp_path: Path, spoilt: str
) -> None:
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        sent = len(it.upstream.received)
        answer = await alice.post(PING, mcp_session_id=spoilt.replace("{}", session))
        assert (answer.status, answer.json["id"]) == (404, 2)
        assert (await alice.ask("DELETE", mcp_session_id=spoilt.replace("{}", session))).status == 404
        assert len(it.upstream.received) == sent


async def test_a_session_of_alices_opens_nothing_for_mallory_or_another_grant(tmp_path: Path) -> None:
    bobs_token = new_token(GRANT)
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        it.reconfigure(grants={it.token: {}, bobs_token: {}})
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        sent = len(it.upstream.received)
        async with it.client(token=bobs_token) as bob:
            assert (await bob.post(PING, mcp_session_id=session)).status == 404
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            assert (await mallory.post(PING, mcp_session_id=session)).status == 404
        assert len(it.upstream.received) == sent
        assert (await alice.post(PING, mcp_session_id=session)).status == 200


async def test_an_event_id_is_wrapped_and_resumes_where_it_stood(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        first = await alice.ask("GET")
        event = first.body.split(b"id: ")[1].split(b"\n")[0].decode()
        assert "after" not in event
        await alice.ask("GET", last_event_id=event)
        assert it.upstream.received[-1].headers["last-event-id"] == "after/nothing"


async def test_an_event_id_that_is_not_ours_resumes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        for spoilt in ("after/nothing", session):
            answer = await alice.ask("GET", last_event_id=spoilt)
            assert (answer.status, answer.json["error"]["code"]) == (400, -32602)
        assert [sent.method for sent in it.upstream.received] == ["POST"]


async def test_a_stream_is_resumed_at_any_worker_and_by_its_own_grant_alone(tmp_path: Path) -> None:
    bobs_token = new_token(GRANT)
    async with world(tmp_path, upstream=Upstream(with_sessions)) as one, one.client() as alice:
        one.reconfigure(grants={one.token: {}, bobs_token: {}})
        event = (await alice.ask("GET")).body.split(b"id: ")[1].split(b"\n")[0].decode()
        async with world(tmp_path / "other", upstream=Upstream(with_sessions)) as other:
            other.config.organizations = one.config.organizations
            sent = len(one.upstream.received)
            async with other.client(token=bobs_token) as bob:
                answer = await bob.ask("GET", last_event_id=event)
                assert (answer.status, answer.json["error"]["code"]) == (400, -32602)
                assert (await bob.post(PING, mcp_session_id=event)).status == 404
            assert len(one.upstream.received) == sent
            async with other.client(token=one.token) as again:
                await again.ask("GET", last_event_id=event)
            assert one.upstream.received[-1].headers["last-event-id"] == "after/nothing"


@pytest.mark.parametrize(
    "more",
    [
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
async def test_a_body_where_none_belongs_reaches_no_server_and_is_no_request_of_its_own(
    tmp_path: Path, more: bytes
) -> None:
    async with world(tmp_path, upstream=Upstream(with_sessions)) as it, it.client() as alice:
        session = (await alice.post(INITIALIZE)).headers["mcp-session-id"]
        for method in ("DELETE", "GET"):
            alice.send(alice.head(method, None, {"Mcp-Session-Id": session})[:-2] + more)
            assert (await alice.answer()).status == 400
        assert (await alice.post(PING, mcp_session_id=session)).status == 200
        assert [sent.method for sent in it.upstream.received] == ["POST", "POST"]


def test_a_handle_outlives_the_change_of_its_key_and_not_the_end_of_it() -> None:
    old, new = (f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("k1", "k2"))
    loaded = organization(ACME, server("http://127.0.0.1/"), {"a": {}})
    owner = Admitted(b"", loaded, next(iter(loaded.grants.values())), loaded.servers[SERVER])
    before, between, after = (Handles(Keyring.parse(keys)) for keys in (old, f"{new},{old}", new))
    wrapped = before.wrap("task", owner, b"raw", ["bound"])
    assert between.unwrap("task", owner, wrapped, ["bound"]) == b"raw"
    assert between.unwrap("task", owner, wrapped) is None
    assert after.unwrap("task", owner, wrapped, ["bound"]) is None
    again = between.wrap("task", owner, b"raw", ["bound"])
    assert (
        before.unwrap("task", owner, again, ["bound"]),
        after.unwrap("task", owner, again, ["bound"]),
    ) == (
        None,
        b"raw",
    )
