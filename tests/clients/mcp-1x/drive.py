"""One session of the 1.x SDK: steps on standard input, one answer for each on standard output."""

import asyncio
import json
import sys

from mcp import ClientSession, McpError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CreateMessageResult, TextContent


def plain(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def trouble(error):
    """The first cause inside whatever groups the SDK wrapped it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    told = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, McpError):
        told |= {"code": error.error.code, "data": error.error.data}
    if (response := getattr(error, "response", None)) is not None:
        told["status"] = response.status_code
    return {"ok": False, "error": told}


async def pages(fetch, field):
    items, cursor = [], None
    while True:
        page = await fetch(cursor)
        items += plain(page)[field]
        cursor = page.nextCursor
        if not cursor:
            return items


async def take(session, step, *given):
    match step:
        case "initialize":
            return plain(await session.initialize())
        case "list_tools":
            return await pages(session.list_tools, "tools")
        case "list_resources":
            return await pages(session.list_resources, "resources")
        case "list_prompts":
            return await pages(session.list_prompts, "prompts")
        case "call_tool":
            return await call(session, *given)
        case "read_resource":
            return plain(await session.read_resource(*given))
        case "get_prompt":
            return plain(await session.get_prompt(*given))
        case "sleep":
            return await asyncio.sleep(*given)
        case _:
            raise ValueError(f"no such step: {step}")


async def call(session, name, arguments):
    progress = []

    async def note(done, total, message):
        progress.append([done, total, message])

    result = await session.call_tool(name, arguments, progress_callback=note)
    return {**plain(result), "progress": progress}


async def say_yes(context, params):
    return CreateMessageResult(
        role="assistant", content=TextContent(type="text", text="yes"), model="none", stopReason="endTurn"
    )


async def converse(asked, answers):
    headers = {"Authorization": f"Bearer {asked['token']}"} if asked["token"] else {}
    connect = sse_client if asked["mode"] == "sse" else streamablehttp_client
    async with (
        connect(asked["url"], headers=headers) as (read, write, *_),
        ClientSession(read, write, sampling_callback=say_yes) as session,
    ):
        for step in asked["steps"]:
            try:
                answers.append({"ok": True, "result": await take(session, *step)})
            except (McpError, ValueError) as error:
                answers.append(trouble(error))


async def main():
    asked = json.load(sys.stdin)
    answers = []
    try:
        await converse(asked, answers)
    except Exception as error:
        answers += [trouble(error)] * (len(asked["steps"]) - len(answers))
    json.dump(answers, sys.stdout)


asyncio.run(main())
