"""What else could stand in front of a server: FastMCP's proxy. And a small server for it to stand before."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx

from tests.foreign import CLIENTS, foreign_environment

_STARTED_WITHIN: Final = 60


class CountingServer:
    """An MCP server that answers at once, and counts what it was asked."""

    def __init__(self, tool: str, answer: dict[str, Any]) -> None:
        self.asked: Counter[str] = Counter()
        self._results: dict[str, dict[str, Any]] = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "counting", "version": "1"},
            },
            "tools/list": {"tools": [{"name": tool, "inputSchema": {"type": "object"}}]},
            "tools/call": answer,
        }
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    @contextmanager
    def running(self) -> Iterator[CountingServer]:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def answer_to(self, message: dict[str, Any]) -> dict[str, Any] | None:
        self.asked[message["method"]] += 1
        if "id" not in message:
            return None
        result = self._results.get(message["method"])
        unknown = {"error": {"code": -32601, "message": "There is no such method."}}
        return {"jsonrpc": "2.0", "id": message["id"], **(unknown if result is None else {"result": result})}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: CountingServer

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.owner.answer_to(message)
        self._send(202, b"") if answer is None else self._send(200, json.dumps(answer).encode())

    def do_GET(self) -> None:
        self._send(405, b"")

    def do_DELETE(self) -> None:
        self._send(200, b"")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fastmcp_proxy(behind: int, port: int) -> Iterator[int]:
    """Its process id."""
    python = foreign_environment("fastmcp-4") / "bin" / "python"
    script = CLIENTS / "fastmcp-4" / "proxy.py"
    process = subprocess.Popen([str(python), str(script), f"http://127.0.0.1:{behind}/mcp", str(port)])
    try:
        until = time.monotonic() + _STARTED_WITHIN
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("FastMCP's proxy did not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return False
    return True
