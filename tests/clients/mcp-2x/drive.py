"""One session of the 2.x SDK: steps on standard input, one answer for each on standard output."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client


def plain(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def trouble(error):
    """The first cause inside whatever groups the SDK wrapped it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    told = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, MCPError):
        told |= {"code": error.error.code, "data": error.error.data}
    return {"ok": False, "error": told}


async def pages(fetch, field):
    items, cursor = [], None
    while True:
        page = await fetch(cursor=cursor)
        items += plain(page)[field]
        cursor = page.next_cursor
        if not cursor:
            return items


async def take(client, step, *given):
    match step:
        case "initialize":
            info = client.server_info
            return {"protocolVersion": client.protocol_version, "serverInfo": plain(info) if info else None}
        case "list_tools":
            return await pages(client.list_tools, "tools")
        case "list_resources":
            return await pages(client.list_resources, "resources")
        case "list_prompts":
            return await pages(client.list_prompts, "prompts")
        case "call_tool":
            return await call(client, *given)
        case "read_resource":
            return plain(await client.read_resource(*given))
        case "get_prompt":
            return plain(await client.get_prompt(*given))
        case "sleep":
            return await asyncio.sleep(*given)
        case _:
            raise ValueError(f"no such step: {step}")


async def call(client, name, arguments):
    progress = []

    async def note(done, total, message):
        progress.append([done, total, message])

    result = await client.call_tool(name, arguments, progress_callback=note)
    return {**plain(result), "progress": progress}


async def converse(asked, answers):
    headers = {"Authorization": f"Bearer {asked['token']}"} if asked["token"] else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        wire = streamable_http_client(asked["url"], http_client=http)
        async with Client(wire, mode=asked["mode"], cache=None) as client:
            for step in asked["steps"]:
                try:
                    answers.append({"ok": True, "result": await take(client, *step)})
                except (MCPError, ValueError) as error:
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
