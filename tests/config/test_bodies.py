"""What a stranger may send before anybody has looked at it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.bodies import with_bodies_up_to


class Wire:
    def __init__(self, *parts: bytes, **headers: str) -> None:
        self.parts = list(parts)
        self.read = 0
        self.sent: list[Any] = []
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope = {"type": "http", "headers": named, "path": "/"}

    async def receive(self) -> dict[str, Any]:
        self.read += 1
        part = self.parts.pop(0) if self.parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


async def reader(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_what_fits_is_passed_on_as_it_came() -> None:
    wire = Wire(b"12345", b"67890", content_length="10")
    await with_bodies_up_to(10, reader)(wire.scope, wire.receive, wire.send)
    assert (wire.status, wire.sent[1]["body"]) == (200, b"1234567890")


async def test_what_is_announced_too_large_is_refused_before_a_byte_is_read() -> None:
    wire = Wire(b"x", content_length="11")
    await with_bodies_up_to(10, reader)(wire.scope, wire.receive, wire.send)
    assert (wire.status, wire.read) == (413, 0)


@pytest.mark.parametrize("length", [None, "3", "-1", "9" * 30, "x"])
async def test_what_grows_too_large_is_refused_when_it_does(length: str | None) -> None:
    wire = Wire(*[b"123456"] * 100, **({"content_length": length} if length else {}))
    await with_bodies_up_to(10, reader)(wire.scope, wire.receive, wire.send)
    assert (wire.status, wire.read) == (413, 2)


async def test_a_body_too_large_for_the_api_is_answered_with_a_problem_like_everything_else() -> None:
    wire = Wire(b"x", content_length="11")
    await with_bodies_up_to(10, reader)(wire.scope | {"path": "/api/v1/servers/"}, wire.receive, wire.send)
    assert (wire.status, json.loads(wire.sent[1]["body"])["code"]) == (413, "too_large")
    assert (b"content-type", b"application/problem+json") in wire.sent[0]["headers"]
