"""A server and a client of the 2024-11-05 transport, for the tests that put a gateway between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.raw_http import Answer, Client, Conversation, read_chunk
from tests.gateway.world import World

ALL_TOOLS = [{"name": name} for name in ("read_file", "hidden_tool", "delete_file", "search")]


@dataclass
class OldServer:
    """A server that speaks HTTP+SSE as of 2024-11-05, and answers a call by the tool's name."""

    endpoint: str = "/messages/?session_id=s1"
    conversation: Conversation | None = None
    silent: set[str] = field(default_factory=set)
    status: int = 202
    breaks: str = ""
    """Which connections break at a call: "post", once it is answered, or "stream and post", in that order."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, conversation: Conversation) -> None:
        if conversation.request.method == "GET":
            self.conversation = conversation
            conversation.begin_stream()
            conversation.event(f"event: endpoint\r\ndata: {self.endpoint}\r\n\r\n")
            await self.over.wait()
            conversation.end_stream()
            return
        if conversation.request.path == "/mcp":
            conversation.write(b"HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n")
            return
        if self.breaks:
            await self._break(conversation)
            return
        conversation.write(b"HTTP/1.1 %d X\r\nContent-Length: 8\r\n\r\nAccepted" % self.status)
        message = conversation.request.json
        if self.status == 202 and "id" in message and message["method"] not in self.silent:
            self.say({"jsonrpc": "2.0", "id": message["id"], "result": self.result(message)})

    async def _break(self, conversation: Conversation) -> None:
        if self.breaks == "post":
            message = conversation.request.json
            self.say({"jsonrpc": "2.0", "id": message["id"], "result": self.result(message)})
        else:
            self.over.set()
        await asyncio.sleep(0.3)
        conversation.vanish()

    def result(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["method"] == "tools/list":
            return {"tools": ALL_TOOLS}
        return {"content": [{"type": "text", "text": message.get("params", {}).get("name", "")}]}

    def say(self, message: dict[str, Any]) -> None:
        assert self.conversation is not None
        self.conversation.message(message)


@dataclass
class Stream:
    """One client's stream, and the address it was given for its messages."""

    client: Client
    address: str
    buffer: bytes = b""

    async def message(self) -> Any:
        event = await self.event()
        assert event[0] == b"event: message", event
        return json.loads(event[1].removeprefix(b"data: "))

    async def event(self) -> list[bytes]:
        while b"\n\n" not in self.buffer.replace(b"\r\n", b"\n"):
            chunk = await asyncio.wait_for(read_chunk(self.client.reader), 60)
            assert chunk, "the stream ended"
            self.buffer += chunk
        event, _, self.buffer = self.buffer.replace(b"\r\n", b"\n").partition(b"\n\n")
        return event.split(b"\n")

    async def rest(self) -> bytes:
        """Everything that arrives until the stream ends."""
        while chunk := await asyncio.wait_for(read_chunk(self.client.reader), 60):
            self.buffer += chunk
        return self.buffer


@asynccontextmanager
async def stream_of(client: Client) -> AsyncIterator[Stream]:
    async with client:
        client.send(client.head("GET", None, {"Accept": "text/event-stream"}))
        assert (await client.answer_head()).status == 200
        stream = Stream(client, "")
        kind, data = await stream.event()
        assert kind == b"event: endpoint"
        stream.address = data.removeprefix(b"data: ").decode()
        yield stream


async def post(it: World, stream: Stream, message: Any, *, port: int = 0, **given: Any) -> Answer:
    client = it.client(**given)
    client.path = stream.address
    client.port = port or client.port
    async with client:
        return await client.post(message)


def call(tool: str, id: int | str = 1, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


def posts(it: World) -> list[Any]:
    return [request.json["params"]["name"] for request in it.upstream.received if request.method == "POST"]
