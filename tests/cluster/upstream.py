"""An MCP server that records each call that arrived complete: when, which tool, its arguments' digest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from typing import Any, Final

from tests.cluster.faults import Faults
from tests.cluster.history import Receipt
from tests.gateway.raw_http import Conversation, Upstream

REVISION: Final = "2025-11-25"


def digest_of(arguments: Any) -> str:
    """The digest as it is documented for records, but computed without the code under test."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Recorder:
    def __init__(self, faults: Faults, tools: Iterable[str]) -> None:
        self._faults = faults
        self._tools = [{"name": name, "inputSchema": {"type": "object"}} for name in tools]
        self._server = Upstream(self._behave)
        self.receipts: list[Receipt] = []
        faults.do(self._server.__aenter__())

    @property
    def port(self) -> int:
        return self._server.port

    def close(self) -> None:
        self._faults.do(self._server.__aexit__())

    async def _behave(self, conversation: Conversation) -> None:
        arrived = time.time()
        self._server.received.clear()  # it keeps every request, which is meant for short tests
        if conversation.request.method != "POST":
            conversation.write(b"HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n")
            return
        message = conversation.request.json
        match message.get("method"):
            case "tools/call":
                params = message["params"]
                self.receipts.append(Receipt(arrived, params["name"], digest_of(params.get("arguments"))))
                conversation.result({"content": [{"type": "text", "text": "done"}]})
            case "tools/list":
                conversation.result({"tools": self._tools})
            case "initialize":
                conversation.result(
                    {
                        "protocolVersion": REVISION,
                        "capabilities": {"tools": {}},
                        "serverInfo": {"name": "recorder", "version": "1"},
                    }
                )
            case "ping":
                conversation.result({})
            case _ if "id" not in message:
                conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            case _:
                error = {"code": -32601, "message": "Method not found"}
                conversation.json({"jsonrpc": "2.0", "id": message["id"], "error": error})
