"""The tools a server lists over stdio, asked for with bounds: a stranger may say anything, forever."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

PROTOCOL: Final = "2025-06-18"
MOST_SECONDS: Final = 60
MOST_BYTES: Final = 16 << 20
MOST_PAGES: Final = 50
Message = dict[str, Any]


class ListingFailed(Exception):  # noqa: N818
    """Why no list came, in one sentence."""


@dataclass(slots=True)
class _Talk:
    process: subprocess.Popen[bytes]
    until: float
    left: int = MOST_BYTES
    buffer: bytearray = field(default_factory=bytearray)
    asked: int = 0

    def ask(self, method: str, params: Message) -> Message:
        self.asked += 1
        self.send({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})
        for message in self.messages():
            if message.get("id") == self.asked and "method" not in message:
                if "result" not in message or not isinstance(message["result"], dict):
                    raise ListingFailed(f"it answered {method} with an error")
                return message["result"]
            if "method" in message and "id" in message:
                # It asks us something: a crawler has no roots, no model and no person.
                self.send(
                    {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "none"}}
                )
        raise ListingFailed(f"it ended before it answered {method}")

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise ListingFailed("it ended as soon as it was started") from None

    def messages(self) -> Iterator[Message]:
        while True:
            line, found, rest = bytes(self.buffer).partition(b"\n")
            if not found:
                if not self._read():
                    return
                continue
            self.buffer = bytearray(rest)
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue  # some print a banner before they speak the protocol
            if isinstance(message, dict):
                yield message

    def _read(self) -> bool:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(self.until - time.monotonic(), 0))
        if not ready:
            raise ListingFailed(f"it did not answer within {MOST_SECONDS} s")
        chunk = os.read(self.process.stdout.fileno(), 65_536)
        self.left -= len(chunk)
        if self.left < 0:
            raise ListingFailed("it said more than anybody reads")
        self.buffer += chunk
        return bool(chunk)


@dataclass(frozen=True, slots=True)
class Listing:
    server: Message
    tools: list[Message]


def list_tools(process: subprocess.Popen[bytes]) -> Listing:
    talk = _Talk(process, time.monotonic() + MOST_SECONDS)
    client = {"name": "catalog", "version": "1"}
    hello = talk.ask("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
    talk.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    server = hello.get("serverInfo")
    return Listing(server if isinstance(server, dict) else {}, list(_pages(talk)))


def _pages(talk: _Talk) -> Iterator[Message]:
    cursor: object = None
    seen: list[object] = []
    for _ in range(MOST_PAGES):
        page = talk.ask("tools/list", {} if cursor is None else {"cursor": cursor})
        tools = page.get("tools")
        for tool in tools if isinstance(tools, list) else []:
            if isinstance(tool, dict):
                yield tool
        cursor = page.get("nextCursor")
        if cursor is None or cursor in seen:
            return
        seen.append(cursor)
