"""Promise 15: nothing a person types or a server sends makes us connect inside, on either plane."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from approvals import webhooks
from common.egress import EgressPolicy
from gateway.resolver import SystemResolver
from servers.probe import ScanFailed, ScanLimits, scan
from tests.gateway.world import SERVER, world
from tests.inside import CASES, OUTSIDE, Door, watched_door

Reach: TypeAlias = Callable[[str], Awaitable[str]]
"""Sends something to a URL; returns what became of it in a word, empty where it was answered."""
INSIDE = "http://127.0.0.1:{port}/mcp"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with watched_door(monkeypatch) as watched:
        yield watched


@asynccontextmanager
async def calling(tmp_path: Path, door: Door, egress: EgressPolicy) -> AsyncIterator[Reach]:
    """Calls through a gateway that resolves names as in production."""
    resolver = SystemResolver()
    async with world(tmp_path, egress=egress, resolve=resolver) as it, it.client() as alice:
        door.known.add(it.http.port)
        door.tried.clear()

        async def reach(url: str) -> str:
            # A bundle with some of these URLs is refused as a whole: the defence behind that must hold alone.
            acme = it.config.organizations[0]
            server = replace(acme.servers[SERVER], upstream_url=url)
            it.config.organizations[0] = replace(acme, servers={SERVER: server})
            answer = await alice.call("search", {"q": "x"})
            if answer.status != 200:
                return f"HTTP {answer.status}"
            result = answer.json["result"]
            return str(result["_meta"]["policylayer/decision"]["code"]) if "_meta" in result else ""

        yield reach
    resolver.close()


@asynccontextmanager
async def scanning(tmp_path: Path, door: Door, egress: EgressPolicy) -> AsyncIterator[Reach]:
    async def reach(url: str) -> str:
        try:
            await scan(url, {"Authorization": "Bearer x"}, egress, limits=ScanLimits(seconds=5))
        except ScanFailed as failed:
            return failed.code
        return ""

    yield reach


@asynccontextmanager
async def notifying(tmp_path: Path, door: Door, egress: EgressPolicy) -> AsyncIterator[Reach]:
    """Sends to a webhook that was stored somehow, even if the form would refuse its URL."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(webhooks, "egress", lambda: egress)

        async def reach(url: str) -> str:
            return (await webhooks._post(url, b"{}", {"webhook-id": "msg_1"})).error

        yield reach


WAYS = pytest.mark.parametrize("way", [calling, scanning, notifying])


@WAYS
async def test_no_spelling_of_an_address_inside_is_connected_to(tmp_path: Path, door: Door, way: Any) -> None:
    async with way(tmp_path, door, door.policy) as reach:
        for url in CASES["urls"]:
            refused = await reach(url.format(port=door.port))
            assert refused or "@outside.test" in url, url
            door.nobody_came()
        # The listener and its names work: an allowed address is reached.
        await reach(f"http://outside.test:{door.port}/mcp")
        assert door.outside >= 1
    assert len(CASES["urls"]) >= 40
    door.nobody_came()


@WAYS
async def test_our_own_listener_is_not_reached_by_any_name(tmp_path: Path, door: Door, way: Any) -> None:
    async with way(tmp_path, door, door.own) as reach:
        for host in CASES["own_listeners"]:
            assert await reach(f"http://{host}:{door.port}/mcp"), host
            door.nobody_came()
            assert door.outside == 0


@WAYS
@pytest.mark.parametrize("name", CASES["rebinding"])
async def test_a_name_that_leads_inside_by_the_second_look_is_not_followed(
    tmp_path: Path, door: Door, way: Any, name: str
) -> None:
    """Its DNS answers have a TTL of 0, and the server ends every connection."""
    async with way(tmp_path, door, door.policy) as reach:
        url = f"http://{name}:{door.port}/mcp"
        await reach(url)
        assert door.outside >= 1
        for _ in range(4):
            assert await reach(url)
        door.nobody_came()


def redirects(status: int, location: str) -> Any:
    return lambda method, body: (status, {"Location": location}, b"")


def tells(headers: dict[str, str], status: int = 401) -> Any:
    return lambda method, body: (status, headers, b"{}")


def names_endpoint(address: str) -> Any:
    """A server of 2024-11-05 that directs the client's messages to an inside address."""

    def says(method: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if method != "GET":
            return 405, {}, b""
        event = f"event: endpoint\ndata: {address}\n\n"
        return 200, {"Content-Type": "text/event-stream"}, event.encode()

    return says


def _mcp(inside: str, method: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """An ordinary server whose results are full of links to inside addresses."""
    if method != "POST":
        return 405, {}, b""
    asked = json.loads(body)
    if "id" not in asked:
        return 202, {}, b""
    link = {"type": "resource_link", "uri": inside, "name": "x"}
    tool = {"name": "search", "inputSchema": {"$ref": inside, "type": "object"}, "icons": [{"src": inside}]}
    info = {"name": "x", "version": "1", "websiteUrl": inside, "icons": [{"src": inside}]}
    result = {
        "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info,
        "tools": [tool], "content": [link],
    }  # fmt: skip
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


_RESOURCE = 'Bearer resource_metadata="{inside}", authorization_uri="{inside}"'
ANSWERS: dict[str, Callable[[str], Any]] = {
    **{f"HTTP {status}": partial(redirects, status) for status in (300, 301, 302, 303, 305, 307, 308)},
    "a redirect without a scheme": lambda inside: redirects(307, inside.removeprefix("http:")),
    "a redirect to a name": lambda inside: redirects(308, inside.replace("127.0.0.1", "one.inside.test")),
    "a refresh": lambda inside: tells({"Refresh": f"0; url={inside}"}, 200),
    "another service": lambda inside: tells({"Alt-Svc": f'http/1.1="{inside[7:-4]}"; persist=1'}, 200),
    "a link": lambda inside: tells({"Link": f"<{inside}>; rel=preload"}, 200),
    "a place to sign in": lambda inside: tells({"WWW-Authenticate": _RESOURCE.format(inside=inside)}),
    "a place to be allowed": lambda inside: tells({"WWW-Authenticate": _RESOURCE.format(inside=inside)}, 403),
    "an endpoint inside": names_endpoint,
    "an endpoint without a scheme": lambda inside: names_endpoint(inside.removeprefix("http:")),
    "links in results": lambda inside: partial(_mcp, inside),
}  # fmt: skip


@WAYS
@pytest.mark.parametrize("answers", ANSWERS.values(), ids=list(ANSWERS))
async def test_nothing_that_a_server_answers_leads_inside(
    tmp_path: Path, door: Door, way: Any, answers: Callable[[str], Any]
) -> None:
    door.says = answers(INSIDE.format(port=door.port))
    async with way(tmp_path, door, door.policy) as reach:
        await reach(f"http://outside.test:{door.port}/mcp")
    assert door.outside >= 1
    door.nobody_came()


async def test_the_listener_counts_whoever_comes(tmp_path: Path, door: Door) -> None:
    """Without the guard each of these spellings would be a way in."""
    everything = EgressPolicy(allow=door.own.allow)
    async with notifying(tmp_path, door, everything) as reach:
        for url in ("http://127.0.0.1:{port}/", "http://0x7f.1:{port}/", "http://six.inside.test:{port}/"):
            before = len(door.inside)
            await reach(url.format(port=door.port))
            assert len(door.inside) == before + 1, url
    assert len(door.tried) == 3
    assert OUTSIDE not in door.inside
