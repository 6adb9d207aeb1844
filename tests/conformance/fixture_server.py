"""Our server with everything that the suite's server scenarios look for, in both eras of the protocol.

    python -m tests.conformance.fixture_server

Prints `READY <url>` once it listens.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import PromptsListChanged, ToolsListChanged

from tests.conformance import fixture_content as content
from tests.conformance import fixture_tasks as tasks
from tests.conformance.fixture_rounds import ROUNDS, in_rounds, prompt_in_rounds

Json = content.Json
Context = ServerRequestContext[Any, Any]
STEP = 0.05
MODERN = "2026-07-28"
BUS = InMemorySubscriptionBus()


class Events(EventStore):
    """Stores everything that was sent, so that a broken stream can be resumed where it stopped."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._kept.append((stream_id, message))
        return str(len(self._kept))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        if not last_event_id.isdigit() or not 0 < int(last_event_id) <= len(self._kept):
            return None
        last = int(last_event_id)
        stream = self._kept[last - 1][0]
        for number, (of, message) in enumerate(self._kept[last:], last + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


# Tools that do something


async def with_logging(ctx: Context, _: Json) -> Json:
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", said, related_request_id=ctx.request_id)
        await anyio.sleep(STEP)
    return content.content(content.text("It was logged."))


async def with_progress(ctx: Context, _: Json) -> Json:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100, f"Completed step {done} of 100")
        await anyio.sleep(STEP)
    return content.content(content.text("Progress was reported."))


async def with_sampling(ctx: Context, given: Json) -> Json:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=given["prompt"]))
    answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    said = answer.content.text if isinstance(answer.content, types.TextContent) else "No text"
    return content.content(content.text(f"LLM response: {said}"))


async def with_elicitation(ctx: Context, given: Json) -> Json:
    return await _elicit(ctx, given["message"], content.ANSWER, "User response")


async def with_defaults(ctx: Context, _: Json) -> Json:
    return await _elicit(ctx, "Please say who you are", content.DEFAULTS, "Elicitation completed")


async def with_enums(ctx: Context, _: Json) -> Json:
    return await _elicit(ctx, "Please choose", content.ENUMS, "Elicitation completed")


async def _elicit(ctx: Context, message: str, schema: Json, said: str) -> Json:
    answer = await ctx.session.elicit_form(message, schema, ctx.request_id)
    told = f"{said}: action={answer.action}, content={answer.content or {}}"
    return content.content(content.text(told))


async def greeting(_: Context, given: Json) -> Json:
    return content.content(content.text(f"Hello, {given.get('name', 'you')}!"))


async def with_reconnection(ctx: Context, _: Json) -> Json:
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await anyio.sleep(4 * STEP)
    return content.content(content.text("The stream was taken up again."))


async def with_missing_capability(ctx: Context, _: Json) -> Json:
    wanted = types.ClientCapabilities(sampling=types.SamplingCapability())
    if not ctx.session.check_client_capability(wanted):
        needed: Json = {"requiredCapabilities": {"sampling": {}}}
        code = types.MISSING_REQUIRED_CLIENT_CAPABILITY
        raise MCPError(code, "This tool needs a client that can sample.", needed)
    return content.content(content.text("The client can sample."))


async def changing_tools(_: Context, __: Json) -> Json:
    await BUS.publish(ToolsListChanged())
    return content.content(content.text("Subscribers know that tools changed."))


async def changing_prompts(_: Context, __: Json) -> Json:
    await BUS.publish(PromptsListChanged())
    return content.content(content.text("Subscribers know that prompts changed."))


Tool = Callable[[Context, Json], Awaitable[Json]]
ACTIVE: dict[str, Tool] = {
    "test_tool_with_logging": with_logging,
    "test_logging_tool": with_logging,
    "test_tool_with_progress": with_progress,
    "test_sampling": with_sampling,
    "test_elicitation": with_elicitation,
    "test_elicitation_sep1034_defaults": with_defaults,
    "test_elicitation_sep1330_enums": with_enums,
    "greet": greeting,
    "test_reconnection": with_reconnection,
    "test_missing_capability": with_missing_capability,
    "test_trigger_tool_change": changing_tools,
    "test_trigger_prompt_change": changing_prompts,
}
TOOLS = (*content.STATIC, *ACTIVE, *ROUNDS, *tasks.WORK)


async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult.model_validate({"tools": [content.tool_definition(name) for name in TOOLS]})


async def call_tool(
    ctx: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    result = await _called(ctx, params)
    if result.get("resultType") == "task":
        # Part of an extension, for which the SDK has no type.
        return cast(types.CallToolResult, result)
    if result.get("resultType") == "input_required":
        return types.InputRequiredResult.model_validate(result)
    return types.CallToolResult.model_validate(result)


async def _called(ctx: Context, params: types.CallToolRequestParams) -> Json:
    if params.name in content.STATIC:
        return content.STATIC[params.name]
    if params.name in ACTIVE:
        return await ACTIVE[params.name](ctx, params.arguments or {})
    if params.name in ROUNDS:
        return in_rounds(ctx, params)
    if params.name in tasks.WORK:
        return await tasks.called(ctx, params)
    raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name}.")


# Everything else


async def list_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    return types.ListResourcesResult.model_validate({"resources": content.listed_resources()})


async def list_templates(
    _: Context, __: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    template = {"uriTemplate": content.TEMPLATE, "name": "template", "description": "A fixture."}
    listed = {"resourceTemplates": [{**template, "mimeType": "application/json"}]}
    return types.ListResourceTemplatesResult.model_validate(listed)


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    found = content.read_resource(str(params.uri))
    if found is None:
        code = types.INVALID_PARAMS if ctx.protocol_version == MODERN else -32002
        raise MCPError(code, "There is no such resource.", {"uri": str(params.uri)})
    return types.ReadResourceResult.model_validate({"contents": [found]})


async def subscribe(ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
    await ctx.session.send_resource_updated(params.uri)
    return types.EmptyResult()


async def unsubscribe(_: Context, __: types.UnsubscribeRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


async def list_prompts(_: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    return types.ListPromptsResult.model_validate({"prompts": content.listed_prompts()})


async def get_prompt(
    _: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    if params.name not in content.PROMPTS:
        raise MCPError(types.INVALID_PARAMS, "There is no such prompt.")
    given: dict[str, str] = dict(params.arguments or {})
    if params.name == "test_input_required_result_prompt":
        asked = prompt_in_rounds(params, given)
        if asked is not None:
            return types.InputRequiredResult.model_validate(asked)
    blocks = content.prompt_blocks(params.name, given)
    messages = [{"role": "user", "content": block} for block in blocks]
    return types.GetPromptResult.model_validate({"messages": messages})


async def complete(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    values = [word for word in ("paris", "park", "party", "test") if word.startswith(params.argument.value)]
    completion = {"values": values, "total": len(values), "hasMore": False}
    return types.CompleteResult.model_validate({"completion": completion})


async def set_level(_: Context, __: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


def server() -> Server[Any]:
    it: Server[Any] = Server(
        "policylayer-conformance",
        version="1.0.0",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_subscriptions_listen=ListenHandler(BUS),
    )
    it.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
    it.extensions[tasks.EXTENSION] = {}
    it.add_request_handler("tasks/get", tasks.TaskParams, tasks.get)
    it.add_request_handler("tasks/update", tasks.UpdateParams, tasks.update)
    it.add_request_handler("tasks/cancel", tasks.TaskParams, tasks.cancel)
    it.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="fixture"))
    return it


async def main() -> None:
    it = server()
    changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    cast(Any, it).create_initialization_options = lambda *_: Server.create_initialization_options(it, changes)
    app = it.streamable_http_app(event_store=Events(), retry_interval=100)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="on", http="h11", timeout_graceful_shutdown=1)
    )
    print(f"READY http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    await serving.serve([listener])


if __name__ == "__main__":
    asyncio.run(main())
