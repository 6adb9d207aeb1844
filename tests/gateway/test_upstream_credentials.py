"""How the gateway signs in to a server: with that server's credentials, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.answering import failure
from tests.gateway.world import (
    ACME,
    KEYS,
    SERVER,
    world,
)


async def test_the_servers_credentials_are_added_and_a_client_cannot_choose_them(tmp_path: Path) -> None:
    sealed = KEYS.seal(
        json.dumps({"Authorization": "Bearer upstream-secret", "X-Team": "a"}).encode(),
        organization=ACME,
        subject=SERVER,
        purpose="upstream-headers",
    )
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(credentials=sealed)
        await alice.call("read_file", {})
        [sent] = it.upstream.received
        assert (sent.headers["authorization"], sent.headers["x-team"]) == ("Bearer upstream-secret", "a")


def sealed(secret: Any) -> str:
    return KEYS.seal(
        json.dumps(secret).encode(), organization=ACME, subject=SERVER, purpose="upstream-headers"
    )


@pytest.mark.parametrize("headers", [{}, {"X-Team": "a"}])
async def test_the_query_of_its_address_comes_sealed_with_a_servers_credentials(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(credentials=sealed({**headers, "?": "key=s3cret&a=%2f+b"}))
        await alice.call("read_file", {})
        [sent] = it.upstream.received
        assert (sent.path, sent.headers.get("x-team")) == ("/mcp?key=s3cret&a=%2f+b", headers.get("X-Team"))
        assert "?" not in sent.headers


async def test_the_end_of_its_path_comes_sealed_with_a_servers_credentials(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        host = it.upstream.url.removesuffix("/mcp")
        it.reconfigure(url=f"{host}/api/", credentials=sealed({"/": "k3y/mcp", "?": "a=b"}))
        await alice.call("read_file", {})
        assert [sent.path for sent in it.upstream.received] == ["/api/k3y/mcp?a=b"]
        it.reconfigure(url=host, credentials=sealed({"/": "k3y/mcp"}))
        assert failure(await alice.call("read_file", {}))[0] == "upstream_refused_credentials"
        assert len(it.upstream.received) == 1


@pytest.mark.parametrize("rest", ["a b", "a?b", "a#b", "a\r\nX: b", "é", 1, None, ["a"], "a" * 2001])
async def test_a_sealed_path_that_is_none_is_not_used(tmp_path: Path, rest: Any) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(url=it.upstream.url + "/", credentials=sealed({"/": rest}))
        assert failure(await alice.call("read_file", {}))[0] == "upstream_refused_credentials"
        assert not it.upstream.received


@pytest.mark.parametrize("query", ["a b", "a\r\nX: b", "a#b", "é", 1, None, ["a"], "a" * 2001])
async def test_a_sealed_query_that_is_none_is_not_used(tmp_path: Path, query: Any) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(credentials=sealed({"?": query}))
        assert failure(await alice.call("read_file", {}))[0] == "upstream_refused_credentials"
        assert not it.upstream.received


@pytest.mark.parametrize(
    "headers",
    [{"Host": "a"}, {"content-length": "1"}, {"X": "a\r\nb: c"}, {"X Y": "a"}, {"X": 1}, ["a"], "a"],
)
async def test_credentials_that_would_frame_the_message_are_not_used(tmp_path: Path, headers: Any) -> None:
    sealed = KEYS.seal(
        json.dumps(headers).encode(), organization=ACME, subject=SERVER, purpose="upstream-headers"
    )
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(credentials=sealed)
        assert failure(await alice.call("read_file", {}))[0] == "upstream_refused_credentials"
        assert not it.upstream.received


async def test_credentials_sealed_for_another_tenant_do_not_open(tmp_path: Path) -> None:
    sealed = KEYS.seal(b'{"A":"b"}', organization="umbra", subject=SERVER, purpose="upstream-headers")
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(credentials=sealed)
        assert failure(await alice.call("read_file", {}))[0] == "upstream_refused_credentials"
