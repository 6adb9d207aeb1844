"""One session of the FastMCP client: steps on standard input, one answer for each on standard output."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


def plain(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def trouble(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}


async def take(client, step, *given):
    match step:
        case "initialize":
            return {}  # connecting was it
        case "list_tools":
            return [plain(tool) for tool in await client.list_tools()]
        case "call_tool":
            return await call(client, *given)
        case _:
            raise ValueError(f"no such step: {step}")


async def call(client, name, arguments):
    progress = []

    async def note(done, total, message):
        progress.append([done, total, message])

    result = await client.call_tool_mcp(name, arguments, progress_handler=note)
    return {**plain(result), "progress": progress}


async def converse(asked, answers):
    headers = {"Authorization": f"Bearer {asked['token']}"}
    async with Client(StreamableHttpTransport(asked["url"], headers=headers), timeout=30) as client:
        for step in asked["steps"]:
            try:
                answers.append({"ok": True, "result": await take(client, *step)})
            except Exception as error:
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
