"""The client of the suite's client scenarios: the official SDK, straight to the suite's server or through us.

Through us, the server is registered as the upstream of a gateway, and the client knows only the gateway. The
suite starts `knock.py`, which asks this process to play the scenario, so that the SDK is loaded only once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from common.tokens import GRANT, new_token
from gateway.protocol.methods import MODERN
from tests.conformance.worker import PATH, serving

Step = Callable[[Client, Any], Awaitable[object]]
KNOCK: Final = Path(__file__).with_name("knock.py")
ADD: Final = {"a": 5, "b": 3}
VALID: Final = {"region": "eu-west-1"}


async def answer_by_defaults(
    context: Any, params: types.ElicitRequestParams
) -> types.ElicitResult | types.ErrorData:
    schema: Any = getattr(params, "requested_schema", {})
    properties = schema.get("properties", {})
    given: Any = {name: about["default"] for name, about in properties.items() if "default" in about}
    given |= {name: True for name in properties if name not in given}  # all others are booleans
    return types.ElicitResult(action="accept", content=given)


async def add(client: Client, _: Any) -> None:
    await client.list_tools()
    await client.call_tool("add_numbers", ADD)


async def elicited(client: Client, _: Any) -> None:
    await client.call_tool("test_client_elicitation_defaults", {})


async def reconnected(client: Client, _: Any) -> None:
    await client.call_tool("test_reconnection", {})


async def in_rounds(client: Client, _: Any) -> None:
    await client.list_tools()
    await asyncio.gather(
        client.call_tool("test_mrtr_echo_state", {}), client.call_tool("test_mrtr_unrelated", {})
    )
    await client.call_tool("test_mrtr_no_state", {})
    await client.call_tool("test_mrtr_no_result_type", {})


async def with_headers(client: Client, _: Any) -> None:
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {})
    for resource in (await client.list_resources()).resources:
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts:
        await client.get_prompt(prompt.name)


async def with_custom_headers(client: Client, context: Any) -> None:
    await client.list_tools()
    for call in context["toolCalls"]:
        await client.call_tool(call["name"], call["arguments"])


async def whichever_is_valid(client: Client, _: Any) -> None:
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, VALID)


async def listed(client: Client, _: Any) -> None:
    await client.list_tools()


async def echoed(client: Client, _: Any) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    await client.call_tool("json_schema_echo", {"schema": schema})


# What the client does, and the tools that a scan of the suite's server would find.
SCENARIOS: Final[dict[str, tuple[Step, tuple[str, ...]]]] = {
    "initialize": (listed, ()),
    "tools_call": (add, ("add_numbers",)),
    "elicitation-sep1034-client-defaults": (elicited, ("test_client_elicitation_defaults",)),
    "sse-retry": (reconnected, ("test_reconnection",)),
    "request-metadata": (listed, ()),
    "sep-2322-client-request-state": (
        in_rounds,
        ("test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type"),
    ),
    "http-standard-headers": (with_headers, ("test_headers", "my-hyphenated-tool")),
    "http-custom-headers": (with_custom_headers, ("test_custom_headers", "test_custom_headers_null")),
    "http-invalid-tool-headers": (whichever_is_valid, ("valid_tool", "invalid_empty_header")),
    "json-schema-ref-no-deref": (listed, ("lookup_user",)),
    "json-schema-2020-12-preservation": (echoed, ("json_schema_2020_12_tool", "json_schema_echo")),
}
# The suite's server sends requests on the standing GET stream, and they are lost if it is not open yet; or it
# mistakes a standing stream that is opened late for the one to be resumed.
ON_STANDING_STREAM: Final = {"elicitation-sep1034-client-defaults", "sse-retry"}


@asynccontextmanager
async def through_a_gateway(upstream: str, tools: tuple[str, ...]) -> AsyncIterator[tuple[str, str]]:
    token = new_token(GRANT)
    with tempfile.TemporaryDirectory() as data:
        async with serving(upstream, token, Path(data), tools) as port:
            yield f"http://127.0.0.1:{port}{PATH}", token


async def play(url: str, scenario: str, revision: str, context: str, *, through: bool) -> None:
    act, tools = SCENARIOS[scenario]
    async with AsyncExitStack() as stack:
        headers = {}
        if through:
            url, token = await stack.enter_async_context(through_a_gateway(url, tools))
            headers = {"Authorization": f"Bearer {token}"}
        standing = asyncio.Event()

        async def answered(response: httpx2.Response) -> None:
            if response.request.method == "GET":
                standing.set()

        hooks = {"response": [answered]}
        http = await stack.enter_async_context(
            httpx2.AsyncClient(headers=headers, timeout=20, event_hooks=hooks)
        )
        client = Client(
            streamable_http_client(url, http_client=http),
            mode="auto" if revision in MODERN else "legacy",
            elicitation_callback=answer_by_defaults,
        )
        await stack.enter_async_context(client)
        if scenario in ON_STANDING_STREAM:
            await standing.wait()
        await act(client, json.loads(context))


@asynccontextmanager
async def answering(*, through: bool) -> AsyncIterator[str]:
    """Yield the command that plays the scenario it is started for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        try:
            await play(**asked, through=through)
            writer.write(b"done")
        except Exception as failure:
            writer.write(repr(failure).encode())
        writer.close()

    with tempfile.TemporaryDirectory() as folder:
        door = str(Path(folder) / "door")
        server = await asyncio.start_unix_server(answer, door)
        yield f"{sys.executable} -IS {KNOCK} {door}"
        server.close()
