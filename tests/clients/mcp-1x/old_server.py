"""A server of the 1.x SDK that speaks HTTP+SSE as of 2024-11-05. Says its URL, then serves."""

import asyncio

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.types import SamplingMessage, TextContent

server = FastMCP("files", log_level="ERROR")


@server.tool()
async def read_file(path: str, ctx: Context) -> str:
    """Reads a file."""
    await ctx.report_progress(0.5, 1.0, "half")
    return f"contents of {path}"


@server.tool()
def create_access_key(user: str) -> str:
    """Creates a key."""
    return f"key of {user}"


@server.tool()
def hidden_tool() -> str:
    """Nobody sees it."""
    return "seen"


@server.tool()
async def search(words: str, ctx: Context) -> str:
    """Asks the client's model, as a server may in the middle of a call."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text=words))
    answer = await ctx.session.create_message(messages=[question], max_tokens=10)
    return f"the client said {answer.content.text}"


@server.resource("file:///public/a")
def public() -> str:
    return "public text"


@server.resource("file:///private/b")
def private() -> str:
    return "private text"


async def main():
    config = uvicorn.Config(server.sse_app(), host="127.0.0.1", port=0, log_level="error")
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve())
    while not serving.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = serving.servers[0].sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/sse", flush=True)
    await task


asyncio.run(main())
