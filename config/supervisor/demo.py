"""`manage.py demo`: `up`, a toy MCP server beside it, and a tour that uses the product as anyone would."""

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from config.supervisor import up
from config.supervisor.keys import write_private
from config.supervisor.lines import Printer
from config.supervisor.product import Product, module
from config.supervisor.stops import CannotStart
from config.supervisor.supervise import Supervisor


def main(arguments: Sequence[str]) -> int:
    return up.main(arguments, "manage.py demo", afterwards=_tour)


async def _tour(product: Product, supervisor: Supervisor, printer: Printer) -> None:
    memory = product.options.data_dir / "demo.json"
    port = _toy_port(memory)
    own = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}
    await supervisor.start(module("toy", own, "config.supervisor.toy_server", "--port", str(port)))
    await _until_it_listens(port)
    data_dir = str(product.options.data_dir)
    if await supervisor.run_once(module("demo", own, "config.supervisor.demo_tour", data_dir)) != 0:
        raise CannotStart("The demo did not come to its end; the reason is above.")


async def _until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def _toy_port(memory: Path) -> int:
    """Return the same port each time, because the server is registered with it."""
    remembered: dict[str, str] = json.loads(memory.read_text()) if memory.exists() else {}
    port = int(remembered.get("toy_port", "0"))
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            raise CannotStart(
                f"Port {port}, where the demo's server was registered, is taken: free it, or choose another"
                f" --data-dir."
            ) from None
        port = int(tried.getsockname()[1])
    write_private(memory, remembered | {"toy_port": str(port)})
    return port
