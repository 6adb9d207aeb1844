"""Asks a server over stdio for its tools, within bounds: a stranger may say anything, for ever."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections import deque
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
    lines: deque[bytes] = field(default_factory=deque)
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
                # A request to us: a crawler has no roots, no model and no person.
                self.send(
                    {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "none"}}
                )
        raise ListingFailed(f"it ended before it answered {method}")

    def send(self, message: Message) -> None:
        """Send a message. The program may not be reading: what is not taken in time ends the talk."""
        assert self.process.stdin is not None
        to = self.process.stdin.fileno()
        os.set_blocking(to, False)
        rest = memoryview(json.dumps(message).encode() + b"\n")
        while rest:
            self._wait([], [to])
            try:
                rest = rest[os.write(to, rest) :]
            except OSError:
                raise ListingFailed("it ended as soon as it was started") from None

    def messages(self) -> Iterator[Message]:
        while self.lines or self._read():
            if not self.lines:
                continue
            try:
                message = json.loads(self.lines.popleft())
            except (ValueError, RecursionError):
                continue  # some print a banner before they speak the protocol
            if isinstance(message, dict):
                yield message

    def _read(self) -> bool:
        assert self.process.stdout is not None
        said = self.process.stdout.fileno()
        self._wait([said], [])
        chunk = os.read(said, 65_536)
        self.left -= len(chunk)
        if self.left < 0:
            raise ListingFailed("it said more than anybody reads")
        first, *more = chunk.split(b"\n")
        self.buffer += first
        for part in more:
            self.lines.append(bytes(self.buffer))
            self.buffer = bytearray(part)
        return bool(chunk)

    def _wait(self, reads: list[int], writes: list[int]) -> None:
        left = self.until - time.monotonic()
        if left <= 0 or not any(select.select(reads, writes, [], left)):
            raise ListingFailed(f"it did not answer within {MOST_SECONDS} s")


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
