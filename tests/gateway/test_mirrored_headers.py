"""Arguments that are repeated in headers, between the official SDK's client and its server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import pytest_asyncio
from mcp.server.mcpserver import MCPServer
from pydantic import Field

from gateway_config.wire.mirrored import MirroredArgument
from tests.gateway.raw_http import Answer
from tests.gateway.test_official_client import running, through
from tests.gateway.world import World, world

REGION = (MirroredArgument("Region", ("region",), "string"),)
MIRRORED = {"search": REGION, "hidden_tool": REGION}
VERSION = "2026-07-28"
MODERN = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": "search"}


def queries() -> MCPServer:
    server = MCPServer("queries")

    @server.tool()
    def search(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        return f"found in {region}"

    return server


@pytest_asyncio.fixture
async def it(tmp_path: Path) -> AsyncIterator[World]:
    async with running(queries(), json_response=True, stateless=True) as url, world(tmp_path) as acme:
        acme.reconfigure(url=url, mirrored=MIRRORED)
        yield acme


async def call(it: World, tool: str, region: str | None, **headers: str) -> Answer:
    async with it.client(**MODERN | {"Mcp-Name": tool}) as alice:
        return await alice.post(search(region, tool), **headers)


def search(region: str | None, tool: str = "search") -> dict[str, Any]:
    arguments = {} if region is None else {"region": region}
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def code(answer: Answer) -> Any:
    return answer.json["error"]["code"]


async def test_an_unmodified_client_and_server_agree_through_the_gateway(it: World) -> None:
    async with through(it, "auto") as alice:
        await alice.list_tools()
        for region in ("eu", " padded ", "Köln", "=?base64?ZXU=?="):
            answer = await alice.call_tool("search", {"region": region})
            assert answer.content[0].text == f"found in {region}"  # type: ignore[union-attr]


async def test_a_header_that_belies_its_argument_is_refused_and_charged_nothing(it: World) -> None:
    for headers in ({}, {"Mcp-Param-Region": "us"}, {"Mcp-Param-Region": "=?base64?ZXU?="}):
        answer = await call(it, "search", "eu", **headers)
        assert (answer.status, code(answer)) == (400, -32020)
    assert not it.log.decisions
    good = await call(it, "search", "eu", **{"Mcp-Param-Region": "eu"})
    assert good.json["result"]["content"][0]["text"] == "found in eu"


async def test_a_header_without_its_argument_is_refused(it: World) -> None:
    answer = await call(it, "search", None, **{"Mcp-Param-Region": "eu"})
    assert (answer.status, code(answer)) == (400, -32020)


async def test_a_tool_nobody_may_know_of_does_not_show_itself_by_its_headers(it: World) -> None:
    for tool in ("hidden_tool", "no_such_tool"):
        answer = await call(it, tool, "eu")
        decision = answer.json["result"]["_meta"]["policylayer/decision"]
        assert (answer.status, decision["code"]) == (200, "not_available")


async def test_what_is_sent_on_is_written_by_us_and_the_unknown_goes_through(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.reconfigure(mirrored=MIRRORED)
        await call(it, "search", "eu", **{"MCP-PARAM-REGION": "=?base64?ZXU=?=", "Mcp-Param-Other": "x"})
        [sent] = it.upstream.received
        assert (sent.headers["mcp-param-region"], sent.headers["mcp-param-other"]) == ("eu", "x")


async def test_headers_of_older_revisions_stand_for_nothing_and_do_not_go_on(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(**{"MCP-Protocol-Version": "2025-11-25"}) as alice:
        it.reconfigure(mirrored=MIRRORED)
        params = {"name": "search", "arguments": {"region": "eu"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        assert (await alice.post(body, **{"Mcp-Param-Region": "us"})).status == 200
        [sent] = it.upstream.received
        assert "mcp-param-region" not in sent.headers


@pytest.mark.parametrize("name", ["Mcp-Param-Bill_To", "Mcp-Param-Bill.To", "mcp-param-bill~to"])
async def test_a_header_that_many_servers_take_for_another_is_refused(tmp_path: Path, name: str) -> None:
    mirrored = {"search": (MirroredArgument("Bill-To", ("region",), "string"),)}
    async with world(tmp_path) as it:
        it.reconfigure(mirrored=mirrored)
        async with it.client(**MODERN, **{"Mcp-Param-Bill-To": "eu", name: "us"}) as alice:
            answer = await alice.post(search("eu"))
            assert (answer.status, code(answer)) == (400, -32020)
        async with it.client(**MODERN, **{name: "us"}) as alice:
            assert (await alice.post(search(None))).status == 400
        assert not it.upstream.received
        async with it.client(**MODERN, **{"Mcp-Param-Bill-To": "eu", "Mcp-Param-Bill": "x"}) as alice:
            assert (await alice.post(search("eu"))).status == 200
