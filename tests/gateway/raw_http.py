"""A client that sends exactly the bytes it is given, and a server that records what it receives."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        return [line[6:] for line in self.body.splitlines() if line.startswith(b"data: ")]


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    return lines[0], {name.lower(): value for name, value in headers.items()}


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readline(), 16)
    data = await reader.readexactly(size)
    await reader.readexactly(2)
    return data


@dataclass
class Client:
    """A client on one connection. `token` and `path` are those of the grant it calls with."""

    port: int
    token: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    def head(self, method: str, length: int | None, headers: dict[str, str | None]) -> bytes:
        lines: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json, text/event-stream",
        }
        if length is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(length)}
        for name, value in (self.headers | headers).items():
            same = [known for known in lines if known.lower() == name.lower()]
            lines[same[0] if same else name] = value
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        return f"{method} {self.path} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def post(self, body: bytes | dict[str, Any], **headers: str | None) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(self.head("POST", len(data), _named(headers)) + data)
        return await self.answer()

    async def ask(self, method: str, **headers: str | None) -> Answer:
        self.send(self.head(method, None, _named(headers)))
        return await self.answer()

    async def call(self, tool: str, arguments: Any = None, *, id: int | str = 1) -> Answer:
        params = {"name": tool} if arguments is None else {"name": tool, "arguments": arguments}
        return await self.post({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})

    async def answer(self) -> Answer:
        answer = await self.answer_head()
        if "content-length" in answer.headers:
            answer.body = await self.reader.readexactly(int(answer.headers["content-length"]))
        elif answer.headers.get("transfer-encoding") == "chunked":
            while chunk := await read_chunk(self.reader):
                answer.body += chunk
        return answer

    async def answer_head(self) -> Answer:
        line, headers = await read_head(self.reader)
        return Answer(int(line.split()[1]), headers)

    async def closed(self) -> bool:
        """Wait for the other side; return whether it closes without sending another byte."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


def _named(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Conversation:
    """One request to an upstream, and the ways to answer it."""

    def __init__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.writer = writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def json(self, message: Any, *, status: int = 200, headers: str = "") -> None:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.write(f"{head}{headers}\r\n".encode("latin-1") + body)

    def result(self, result: Any, headers: str = "") -> None:
        self.json({"jsonrpc": "2.0", "id": self.request.json.get("id"), "result": result}, headers=headers)

    def begin_stream(self, headers: str = "") -> None:
        kind = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        self.write(f"HTTP/1.1 200 OK\r\n{kind}{headers}\r\n".encode("latin-1"))

    def event(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def message(self, message: Any) -> None:
        self.event(f"event: message\ndata: {json.dumps(message)}\n\n")

    def end_stream(self) -> None:
        self.write(b"0\r\n\r\n")

    def vanish(self) -> None:
        self.writer.transport.abort()


Behaviour = Callable[[Conversation], Awaitable[None]]


async def answer_ok(conversation: Conversation) -> None:
    if "id" in conversation.request.json:
        conversation.result({"content": [{"type": "text", "text": "done"}]})
    else:
        conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


@dataclass
class Upstream:
    """A server on loopback. `received` holds every request in order; `gone` counts ended connections."""

    behaviour: Behaviour = answer_ok
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    gone: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                line, headers = await read_head(reader)
                method, path, _ = line.split(" ")
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Received(method, path, headers, body)
                self.received.append(request)
                if not await self._behave(Conversation(request, writer), reader):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone += 1
            writer.close()

    async def _behave(self, conversation: Conversation, reader: asyncio.StreamReader) -> bool:
        """Answer the request; return False if the gateway left in the middle of it."""
        behaving = asyncio.ensure_future(self.behaviour(conversation))
        while not behaving.done():
            await asyncio.wait([behaving], timeout=0.02)
            if reader.at_eof() or reader.exception() is not None:
                behaving.cancel()
                return False
        await behaving
        return True
