"""SDKs of the 2024-11-05 transport on both sides: they must not notice that we are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import ClientSession
from mcp.client.sse import sse_client

from common.unix_sockets import listening
from gateway.handover import Door, socket_of
from tests.driving import drive
from tests.foreign import running_old_server
from tests.gateway.raw_http import Client
from tests.gateway.world import SERVER, World, world

ALL = ("read_file", "create_access_key", "hidden_tool", "search")


@pytest.fixture(scope="module")
def old_server() -> Iterator[str]:
    with running_old_server() as url:
        yield url


@asynccontextmanager
async def in_front_of(url: str, folder: Path, **options: Any) -> AsyncIterator[World]:
    async with world(folder, **options) as it:
        it.reconfigure(url=url, tools=ALL)
        yield it


async def driven(it: World, *steps: list[Any]) -> list[Any]:
    url = f"http://127.0.0.1:{it.http.port}/mcp/{SERVER}/"
    answers = await asyncio.to_thread(drive, "mcp-1x", url, it.token, steps, "sse")
    assert [answer["ok"] for answer in answers] == [True] * len(steps), answers
    return [answer["result"] for answer in answers]


async def test_a_client_and_a_server_of_the_last_sdk_that_spoke_it(old_server: str, tmp_path: Path) -> None:
    async with in_front_of(old_server, tmp_path) as it:
        _, tools, called, asked, *keys, hidden, _ = await driven(
            it,
            ["initialize"],
            ["list_tools"],
            ["call_tool", "read_file", {"path": "/a"}],
            ["call_tool", "search", {"words": "well?"}],
            *[["call_tool", "create_access_key", {"user": "eve"}]] * 3,
            ["call_tool", "hidden_tool", {}],
            ["read_resource", "file:///public/a"],
        )
        assert [tool["name"] for tool in tools] == ["read_file", "create_access_key", "search"]
        assert called["content"][0]["text"] == "contents of /a"
        assert called["progress"] == [[0.5, 1.0, "half"]]
        # The server asks the client in the middle of a call, and the answer is posted while the call waits.
        assert asked["content"][0]["text"] == "the client said yes"
        assert [key["isError"] for key in keys] == [False, False, True]
        assert hidden["isError"] is True
        assert "No tool named hidden_tool is available" in hidden["content"][0]["text"]


async def test_a_client_of_today_on_the_old_transport_over_two_workers(
    old_server: str, tmp_path: Path
) -> None:
    """Every message goes to the worker that does not hold the stream."""
    folder = tmp_path / "doors"
    async with in_front_of(old_server, tmp_path, door=Door("gw-1", folder)) as it:
        other = it.another(Door("gw-2", folder))
        public = await other.serve("127.0.0.1", 0)
        doors = await it.gateway.serve_workers(listening(socket_of(folder, "gw-1")))
        try:
            texts = await _converse(it, public.port)
        finally:
            await doors.close()
            await public.close()
            other.close()
        assert texts == ["contents of /a", "[POLICY DENIED] Not from /etc."]
        assert [entry.outcome for entry in it.log.decisions] == ["allow", "deny"]


async def _converse(it: World, port: int) -> list[str]:
    def elsewhere(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=_PostsTo(port), headers=headers, timeout=timeout, auth=auth)

    headers = {"Authorization": f"Bearer {it.token}"}
    url = f"http://127.0.0.1:{it.http.port}/mcp/{SERVER}/"
    async with (
        sse_client(url, headers=headers, httpx_client_factory=elsewhere) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        results = [await session.call_tool("read_file", {"path": path}) for path in ("/a", "/etc/shadow")]
        return [result.content[0].text for result in results]  # type: ignore[union-attr]


class _PostsTo(httpx2.AsyncHTTPTransport):
    """Posts to this port, whatever port the stream has, as a load balancer might."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


async def test_a_client_that_tries_streamable_http_first_is_told_to_fall_back(
    old_server: str, tmp_path: Path
) -> None:
    async with in_front_of(old_server, tmp_path) as it, it.client() as alice:
        assert isinstance(alice, Client)
        answer = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
        assert answer.status == 405
