"""FastMCP's own proxy, as a user might put it in front of a server: one session, shared by all calls.

python proxy.py URL PORT
"""

import asyncio
import sys

from fastmcp import Client
from fastmcp.server import create_proxy


async def main(url: str, port: int) -> None:
    async with Client(url) as client:
        proxy = create_proxy(client)
        await proxy.run_http_async(
            show_banner=False,
            host="127.0.0.1",
            port=port,
            log_level="critical",
            json_response=True,
            stateless_http=True,
        )


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
