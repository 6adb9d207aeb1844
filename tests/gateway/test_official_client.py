"""The official SDK on both sides, in every era it speaks: it must not notice that we are there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer

from gateway.limits import Limits
from gateway_config.wire.grants import NO_GRANTS
from tests.conformance import fixture_server
from tests.gateway.raw_http import Upstream
from tests.gateway.world import ACME, SERVER, World, eventually, organization, quick, server, world

# Client, gateway and server share one event loop here, so bounds of half a second would be hit by accident.
AS_STARTED = Limits(drain_seconds=1.0)
MODES = ["legacy", "auto"]


def files() -> MCPServer:
    server = MCPServer("files")

    @server.tool()
    async def read_file(path: str, ctx: Context) -> str:
        """Reads a file."""
        await ctx.report_progress(0.5, 1.0, "half")
        return f"contents of {path}"

    @server.tool()
    def create_access_key(user: str) -> dict[str, str]:
        """Creates a key."""
        return {"key": f"key of {user}"}

    @server.tool()
    def hidden_tool() -> str:
        """Nobody sees it."""
        return "seen"

    @server.tool()
    def search(words: str) -> str:
        """Fails."""
        raise ValueError("nothing found")

    @server.resource("file:///public/a")
    def public() -> str:
        return "public text"

    @server.resource("file:///private/b")
    def private() -> str:
        return "private text"

    @server.prompt()
    def greet(name: str) -> str:
        return f"Greet {name}."

    return server


@asynccontextmanager
async def running(
    server: MCPServer | Server, *, json_response: bool, stateless: bool = False
) -> AsyncIterator[str]:
    app = server.streamable_http_app(json_response=json_response, stateless_http=stateless)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on")
    uvicorn_server = uvicorn.Server(config)
    uvicorn_server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(uvicorn_server.serve())
    while not uvicorn_server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        uvicorn_server.should_exit = True
        uvicorn_server.force_exit = True
        await task


@asynccontextmanager
async def through(it: World, mode: str, *, token: str | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token or it.token}"}
    url = f"http://127.0.0.1:{it.http.port}/mcp/{SERVER}/"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.fixture(params=[False, True], ids=["events", "json"])
async def it(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        running(files(), json_response=request.param) as url,
        world(tmp_path, upstream=Upstream(), limits=AS_STARTED) as acme,
    ):
        acme.reconfigure(url=url)
        yield acme


@pytest.mark.parametrize("mode", MODES)
async def test_allowed_calls_are_answered_and_denied_ones_say_why(it: World, mode: str) -> None:
    async with through(it, mode) as alice:
        answer = await alice.call_tool("read_file", {"path": "/home/a"})
        assert answer.content[0].text == "contents of /home/a"  # type: ignore[union-attr]
        denied = await alice.call_tool("read_file", {"path": "/etc/passwd"})
        assert denied.is_error
        assert denied.content[0].text == "[POLICY DENIED] Not from /etc."  # type: ignore[union-attr]
        hidden = await alice.call_tool("hidden_tool", {})
        assert hidden.is_error
        failing = await alice.call_tool("search", {"words": "x"})
        assert failing.is_error
        assert "[" not in failing.content[0].text[:1]  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", MODES)
async def test_the_limit_reaches_the_agent_with_its_retry_after(it: World, mode: str) -> None:
    async with through(it, mode) as alice:
        for _ in range(2):
            answer = await alice.call_tool("create_access_key", {"user": "bob"})
            assert answer.structured_content == {"key": "key of bob"}
        limited = await alice.call_tool("create_access_key", {"user": "bob"})
        assert limited.is_error
        assert limited.meta is not None
        assert limited.meta["policylayer/decision"]["code"] == "limit_exceeded"


@pytest.mark.parametrize("mode", MODES)
async def test_the_list_holds_what_may_be_called(it: World, mode: str) -> None:
    async with through(it, mode) as alice:
        assert (alice.protocol_version == "2026-07-28") is (mode == "auto")
        tools = (await alice.list_tools()).tools
        assert [tool.name for tool in tools] == ["read_file", "create_access_key", "search"]


@pytest.mark.parametrize("mode", MODES)
async def test_resources_and_prompts_pass_and_are_judged(it: World, mode: str) -> None:
    async with through(it, mode) as alice:
        read = await alice.read_resource("file:///public/a")
        assert read.contents[0].text == "public text"  # type: ignore[union-attr]
        with pytest.raises(Exception, match="POLICY DENIED"):
            await alice.read_resource("file:///private/b")
        greeting = await alice.get_prompt("greet", {"name": "Bob"})
        assert greeting.messages[0].content.text == "Greet Bob."  # type: ignore[union-attr]
        assert len((await alice.list_resources()).resources) == 2


@pytest.mark.parametrize("mode", MODES)
async def test_progress_arrives_while_the_call_runs(it: World, mode: str) -> None:
    seen: list[float] = []

    async def seen_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with through(it, mode) as alice:
        await alice.call_tool("read_file", {"path": "/a"}, progress_callback=seen_progress)
    assert seen in ([0.5], [])  # a server that answers in one JSON body has nowhere to put progress


@pytest.mark.parametrize("mode", MODES)
async def test_a_revoked_grant_is_told_at_the_next_call(it: World, mode: str) -> None:
    async with through(it, mode) as alice:
        await alice.call_tool("read_file", {"path": "/a"})
        it.reconfigure(grants={})
        with pytest.raises(Exception):  # noqa: B017
            await alice.call_tool("read_file", {"path": "/a"})


def _endless() -> MCPServer:
    server = MCPServer("endless")

    @server.tool()
    async def search(words: str, ctx: Context) -> str:
        """Never ends, and says so all the time."""
        for number in count(1):
            await ctx.report_progress(number, None, "on and on")
            await asyncio.sleep(0.02)
        return ""

    return server


def _end(it: World, how: str) -> None:
    if how == "revoked":
        it.reconfigure(grants={}, url=it.upstream.url)
    elif how == "expired":
        # No configuration is applied at that moment: the clock alone ends it.
        ended = {it.token: {"expires_at": 1}}
        it.config.organizations[0] = organization(ACME, server(it.upstream.url), ended)
    else:
        it.config.organizations[0] = replace(it.config.organizations[0], servers={}, grants=NO_GRANTS)
        it.gateway.on_swap()


@pytest.mark.parametrize("how", ["revoked", "expired", "server retired"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_call_of_a_real_client_ends_within_a_second_when_its_grant_does(
    tmp_path: Path, mode: str, how: str
) -> None:
    limits = quick(orphan_seconds=0.2)
    async with running(_endless(), json_response=False) as url, world(tmp_path, limits=limits) as it:
        it.reconfigure(url=url)
        async with through(it, mode) as alice:
            heard = asyncio.Event()

            async def hears(progress: float, total: float | None, message: str | None) -> None:
                heard.set()

            calling = asyncio.ensure_future(
                alice.call_tool("search", {"words": "x"}, progress_callback=hears)
            )
            await asyncio.wait_for(heard.wait(), 60)
            _end(it, how)
            await asyncio.wait_for(_all_streams_ended(it), 60)
            with pytest.raises(Exception):  # noqa: B017 - each era tells it in its own words
                await asyncio.wait_for(calling, 60)
        # The call was sent, so how it ended is recorded.
        await eventually(lambda: bool(it.log.completions))


async def _all_streams_ended(it: World) -> None:
    while list(it.gateway._open._streams()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["revoked", "expired", "server retired"])
async def test_a_real_clients_subscription_ends_within_a_second_when_its_grant_does(
    tmp_path: Path, how: str
) -> None:
    async with running(files(), json_response=False) as url, world(tmp_path, limits=AS_STARTED) as it:
        it.reconfigure(url=url)
        async with through(it, "auto") as alice, alice.listen(tools_list_changed=True) as events:

            async def listen() -> None:
                with suppress(SubscriptionLost):
                    async for _ in events:
                        pass

            listening = asyncio.ensure_future(listen())
            await eventually(lambda: bool(list(it.gateway._open._streams())))
            _end(it, how)
            await asyncio.wait_for(listening, 60)


@pytest.mark.parametrize("how", ["revoked", "expired", "server retired"])
async def test_the_standing_stream_of_a_real_client_ends_within_a_second_when_its_grant_does(
    tmp_path: Path, how: str
) -> None:
    async with running(files(), json_response=False) as url, world(tmp_path, limits=AS_STARTED) as it:
        it.reconfigure(url=url)
        async with through(it, "legacy") as alice:
            await alice.list_tools()
            await eventually(lambda: bool(list(it.gateway._open._streams())))
            _end(it, how)
            await asyncio.wait_for(_all_streams_ended(it), 60)
            with pytest.raises(Exception):  # noqa: B017
                await alice.list_tools()


@asynccontextmanager
async def answering(it: World, mode: str, asked: list[str]) -> AsyncIterator[Client]:
    """A client whose user answers every question with their name."""

    async def answer(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.message)
        assert isinstance(params, types.ElicitRequestFormParams)
        wanted: Any = params.requested_schema.get("properties", {})
        known: Any = {key: one.get("type") == "boolean" or "Alice" for key, one in wanted.items()}
        return types.ElicitResult(action="accept", content=known)

    headers = {"Authorization": f"Bearer {it.token}"}
    url = f"http://127.0.0.1:{it.http.port}/mcp/{SERVER}/"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, elicitation_callback=answer
        ) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("mode", "tool", "rounds", "said"),
    [
        ("legacy", "test_elicitation", 1, "User response: action=accept"),
        ("auto", "test_input_required_result_elicitation", 1, "Hello, Alice!"),
        ("auto", "test_input_required_result_request_state", 1, "state-ok"),
        ("auto", "test_input_required_result_multi_round", 2, "Both steps were answered."),
    ],
)
async def test_a_server_that_asks_back_is_answered_in_every_era(
    tmp_path: Path, mode: str, tool: str, rounds: int, said: str
) -> None:
    """A limit of one does not hinder it: a call in several rounds is one call."""
    once = {"limits": [{"counter": "c", "window": "hour", "max": 1, "scope": "grant"}]}
    document = json.dumps({"version": "1", "default": "deny", "tools": {tool: once}})
    asked: list[str] = []
    async with (
        running(fixture_server.server(), json_response=False) as url,
        world(tmp_path, limits=AS_STARTED) as it,
    ):
        it.reconfigure(url=url, document=document, tools=fixture_server.TOOLS)
        async with answering(it, mode, asked) as alice:
            answer = await alice.call_tool(tool, {"message": "Who are you?"})
            assert said in answer.content[0].text  # type: ignore[union-attr]
            again = await alice.call_tool(tool, {"message": "Who are you?"})
            assert again.meta is not None
            assert again.meta["policylayer/decision"]["code"] == "limit_exceeded"
    assert len(asked) == rounds


@pytest.mark.parametrize(
    ("mode", "spoken", "told"),
    [
        ("legacy", ("2026-07-28",), "2026-07-28"),
        ("2026-07-28", ("2025-06-18", "2025-11-25"), "2025-06-18 and 2025-11-25"),
    ],
)
async def test_a_real_client_that_shares_no_revision_is_told_which_would_work(
    it: World, mode: str, spoken: tuple[str, ...], told: str
) -> None:
    it.reconfigure(url=it.config.organizations[0].servers[SERVER].upstream_url, revisions=spoken)
    with pytest.raises(BaseException) as refused:
        async with through(it, mode) as alice:
            await alice.list_tools()
    assert f"speaks {told} of the protocol" in _all_of(refused.value)


def _all_of(problem: BaseException) -> str:
    inner = problem.exceptions if isinstance(problem, BaseExceptionGroup) else ()
    return "\n".join([str(problem), *map(_all_of, inner)])
