"""Which requests are admitted; a stranger learns nothing from a refusal."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

from common.tokens import API_KEY, GRANT, new_token
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization
from tests.gateway.world import MALLORYS_SERVER, SERVER, world

NOBODYS_SERVER = "00000000-0000-7000-8000-00000000ffff"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer junk",
        "Basic abc",
        "Bearer <a grant's, never issued>",
        "Bearer <an API key>",
        "Bearer <a grant's>x",
        "Bearer plg_" + "\xff" * 33,
    ],
)
async def test_an_unknown_token_is_401_whatever_it_asks_for(
    tmp_path: Path, authorization: str | None
) -> None:
    if authorization is not None:
        authorization = authorization.replace("<a grant's, never issued>", new_token(GRANT))
        authorization = authorization.replace("<an API key>", new_token(API_KEY))
        authorization = authorization.replace("<a grant's>", new_token(GRANT)[:-1])
    async with world(tmp_path) as it:
        for server in (SERVER, MALLORYS_SERVER, NOBODYS_SERVER):
            async with it.client(server=server) as stranger:
                answer = await stranger.post(b"not even JSON", authorization=authorization)
                assert answer.status == 401
                assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert not it.upstream.received


async def test_mallory_learns_nothing_about_alices_server(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = []
        for server in (SERVER, NOBODYS_SERVER):
            async with it.client(token=it.mallorys_token, server=server) as mallory:
                answer = await mallory.call("read_file", {})
                answers.append((answer.status, answer.body))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
        assert not it.upstream.received


async def test_an_expired_grant_is_401(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(grants={it.token: {"expires_at": int(time.time()) - 1}})
        assert (await alice.call("read_file", {})).status == 401
        it.reconfigure(grants={it.token: {"expires_at": int(time.time()) + 100}})
        assert (await alice.call("read_file", {})).status == 200


async def test_a_revoked_grant_is_401(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).status == 200
        it.reconfigure(grants={})
        assert (await alice.call("read_file", {})).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mcp",
        "/mcp/",
        f"/mcp/{SERVER}/extra",
        f"/mcp/{SERVER}//",
        f"//mcp/{SERVER}/",
        f"/mcp/{SERVER.replace('-', '%2d')}/",
        f"/mcp/../mcp/{SERVER}/",
        f"/MCP/{SERVER}/",
        f"/mcp/{SERVER.upper()}/",
        f"/mcp%2f{SERVER}/",
        f"/mcp/{SERVER}%2f",
        f"/mcp/{SERVER}/%3fx=1",
        f"/mcp/%2e%2e/mcp/{SERVER}/",
        f"/mcp/{SERVER}/..;/",
        f"/mcp/{SERVER}/#x",
        f"http://127.0.0.1/mcp/{SERVER}/",
        "*",
    ],
)
async def test_there_is_one_spelling_of_a_path(tmp_path: Path, path: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.path = path
        assert (await alice.call("read_file", {})).status == 404
        assert not it.upstream.received


async def test_a_path_without_its_last_slash_is_the_same_server(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for path in (f"/mcp/{SERVER}", f"/mcp/{SERVER}/?x=1"):
            alice.path = path
            assert (await alice.call("read_file", {})).status == 200
        assert all(sent.path == "/mcp" for sent in it.upstream.received)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:80:80", ""])
async def test_a_host_that_is_not_ours_is_403(tmp_path: Path, host: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert (await alice.post(b"{}", host=host)).status == 403


async def test_a_request_without_a_host_is_400(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert (await alice.post(b"{}", host=None)).status == 400


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://app.example", "https://app.example.evil"]
)
async def test_an_origin_that_is_not_allowed_is_403(tmp_path: Path, origin: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(b"{}", origin=origin)
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers


async def test_an_allowed_origin_may_read_the_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(Origin="https://app.example") as alice:
        answer = await alice.call("read_file", {})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        denied = await alice.call("delete_file", {})
        assert denied.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_page_of_an_allowed_origin_may_read_every_refusal(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(Origin="https://app.example") as alice:
        refusals = [
            await alice.ask("GET", **changed)
            for changed in ({"authorization": None}, {"authorization": "Bearer plg_junk"})
        ]
        refusals.append(await alice.ask("PUT"))
        refusals.append(await alice.post(b"{}", content_type="text/plain"))
        refusals.append(await alice.post(b"{"))
        it.config.ready = False
        refusals.append(await alice.ask("GET", authorization="Bearer " + new_token(GRANT)))
        it.config.ready = True
        alice.path = f"/mcp/{MALLORYS_SERVER}/"
        refusals.append(await alice.ask("GET"))
        assert [answer.status for answer in refusals] == [401, 401, 405, 400, 400, 503, 404]
        for answer in refusals:
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


async def test_a_stranger_origin_may_read_no_refusal(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(Origin="https://evil.example") as alice:
        for answer in (await alice.ask("GET", authorization=None), await alice.ask("OPTIONS")):
            assert answer.status == 403
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_preflight_allows_what_clients_of_any_revision_send_and_nothing_else(tmp_path: Path) -> None:
    wanted = "authorization,content-type, mcp-protocol-version,mcp-param-region,last-event-id,cookie,x-evil"
    async with world(tmp_path) as it, it.client(Origin="https://app.example") as alice:
        preflight = await alice.ask(
            "OPTIONS",
            authorization=None,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers=wanted,
        )
        assert (preflight.status, preflight.body) == (204, b"")
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert preflight.headers["vary"] == "Origin"
        assert preflight.headers["access-control-allow-methods"] == "POST, GET, DELETE"
        assert preflight.headers["access-control-allow-headers"] == (
            "authorization, content-type, mcp-protocol-version, mcp-param-region, last-event-id"
        )
        assert it.upstream.received == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])
async def test_other_methods_are_405(tmp_path: Path, method: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.send(alice.head(method, None, {}))
        answer = await alice.answer_head()
        assert (answer.status, answer.headers["allow"]) == (405, "POST, GET, DELETE")


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": None},
        {"content_type": "text/plain"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_type": "application/json, text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/jsonx"},
        {"content_encoding": "gzip"},
        {"content_encoding": "identity"},
    ],
)
async def test_a_body_of_another_kind_is_refused(tmp_path: Path, headers: dict[str, str | None]) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', **headers)
        assert (answer.status, answer.json["error"]["code"]) == (400, -32600)
        assert not it.upstream.received


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_is_json_however_its_type_is_written(tmp_path: Path, kind: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', content_type=kind)
        assert answer.status == 200


async def test_a_stream_or_the_end_of_a_session_takes_no_body(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for method in ("GET", "DELETE"):
            alice.send(alice.head(method, 2, {}) + b"{}")
            assert (await alice.answer()).status == 400
        assert not it.upstream.received


async def test_health_needs_no_token(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(token="") as probe:
        probe.path = "/healthz"
        assert (await probe.ask("GET", host="10.1.2.3")).body == b"ok\n"
        assert (await probe.ask("DELETE")).status == 405


async def test_junk_is_never_looked_up_whatever_it_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[bytes] = []
    async with world(tmp_path) as it:
        known = it.config.grant

        def grant(token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None:
            looked_up.append(token)
            return known(token)

        monkeypatch.setattr(it.config, "grant", grant)
        wrong, another = it.token[:-1] + ("a" if it.token[-1] != "a" else "b"), it.token.replace("plg", "plk")
        for junk in ("", "x", "plg_", wrong, another, it.token.upper(), f"{it.token}="):
            async with it.client(token=junk) as stranger:
                assert (await stranger.call("read_file", {})).status == 401
        assert looked_up == []
        async with it.client(token=new_token(GRANT)) as stranger:
            assert (await stranger.call("read_file", {})).status == 401
        assert len(looked_up) == 1 and not it.upstream.received


@pytest.mark.parametrize("traced", [False, True])
async def test_a_grant_is_looked_up_again_only_where_the_configuration_changed(
    tmp_path: Path, traced: bool
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        looked_up: list[bytes] = []
        grant, traces = it.config.grant, count(1)

        def counted(token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None:
            looked_up.append(token)
            return grant(token)

        async def status() -> int:
            if traced:  # each head differs, but says the same about who asks for what
                alice.headers["traceparent"] = f"00-{next(traces):032x}-00f067aa0ba902b7-01"
            return (await alice.call("search", {})).status

        it.config.grant = counted  # type: ignore[method-assign]
        for _ in range(4):
            assert await status() == 200
        assert len(looked_up) == 1
        it.config.organizations.reverse()
        assert await status() == 200
        assert await status() == 200
        it.config.organizations.reverse()
        it.config.organizations[0] = it.config.organizations[1]
        assert await status() == 401
        assert await status() == 401
