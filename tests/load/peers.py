"""FastMCP's proxy, for comparison with the gateway, and a small MCP server to put behind either.

python -m tests.load.peers <port> <tool> <result as JSON>     runs the server until its input ends
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import uvloop

from tests.foreign import CLIENTS, foreign_environment
from tests.ports import free_port

_STARTED_WITHIN: Final = 60


class CountingServer:
    """An MCP server in a process of its own that answers at once and counts its requests."""

    def __init__(self, tool: str, answer: dict[str, Any]) -> None:
        self.port = free_port()
        self._command = (sys.executable, "-m", "tests.load.peers", str(self.port), tool, json.dumps(answer))

    @contextmanager
    def running(self) -> Iterator[CountingServer]:
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
        try:
            _wait_for(process, self.port)
            yield self
        finally:
            process.communicate(timeout=10)

    def asked(self) -> Counter[str]:
        """The number of requests by method since this was last called."""
        return Counter(httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).json())


class _Counting(asyncio.Protocol):
    def __init__(self, asked: Counter[str], results: dict[str, Any]) -> None:
        self._asked, self._results = asked, results
        self._got = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while True:
            head, separator, rest = self._got.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
            if not separator or len(rest) < length:
                return
            self._got = rest[length:]
            self._answer(head.partition(b"\r")[0], rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST"):
            self._send(*self._answered(json.loads(body)))
        elif b" / " in head:
            told = json.dumps(self._asked).encode()
            self._asked.clear()
            self._send(200, told)
        else:
            self._send(405 if head.startswith(b"GET") else 200, b"")

    def _answered(self, message: dict[str, Any]) -> tuple[int, bytes]:
        self._asked[message["method"]] += 1
        if "id" not in message:
            return 202, b""
        result = self._results.get(message["method"])
        unknown = {"error": {"code": -32601, "message": "There is no such method."}}
        told = unknown if result is None else {"result": result}
        return 200, json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}).encode()

    def _send(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)


async def _serve(port: int, tool: str, answer: dict[str, Any]) -> None:
    results = {
        "initialize": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "counting", "version": "1"},
        },
        "tools/list": {"tools": [{"name": tool, "inputSchema": {"type": "object"}}]},
        "tools/call": answer,
    }
    asked: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Counting(asked, results), "127.0.0.1", port)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def fastmcp_proxy(behind: int, port: int) -> Iterator[int]:
    """Run FastMCP's proxy; yields its process id."""
    python = foreign_environment("fastmcp-4") / "bin" / "python"
    script = CLIENTS / "fastmcp-4" / "proxy.py"
    process = subprocess.Popen([str(python), str(script), f"http://127.0.0.1:{behind}/mcp", str(port)])
    try:
        _wait_for(process, port)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _STARTED_WITHIN
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("it did not start")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return False
    return True


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
