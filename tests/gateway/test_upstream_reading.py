"""A server that sends a lot is read in parts, so that others are read in between."""

from __future__ import annotations

import asyncio

from gateway.limits import Limits
from gateway.outbox import Outbox
from gateway.upstream_answer import UpstreamAnswer
from gateway.upstream_connection import UpstreamConnection, read_buffer
from tests.gateway.world import eventually

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that only knows whether it is being read from."""

    def __init__(self) -> None:
        super().__init__()
        self._is_read = True

    def is_reading(self) -> bool:
        return self._is_read

    def pause_reading(self) -> None:
        assert self._is_read, "it rests already"
        self._is_read = False

    def resume_reading(self) -> None:
        assert not self._is_read, "it is read already"
        self._is_read = True

    def is_closing(self) -> bool:
        return False

    def write(self, data: object) -> None:
        pass

    def abort(self) -> None:
        pass


def connected() -> tuple[UpstreamConnection, Wire]:
    loop = asyncio.get_running_loop()
    connection = UpstreamConnection(
        Limits(), loop.time, Outbox(loop), read_buffer(), on_free=lambda _: None, on_closed=lambda _: None
    )
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire


async def ask(connection: UpstreamConnection) -> UpstreamAnswer:
    answer = connection.send(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.sleep(0)  # lets it be written
    return answer


def says(connection: UpstreamConnection, text: bytes) -> None:
    buffer = connection.get_buffer(-1)
    buffer[: len(text)] = text
    connection.buffer_updated(len(text))


def fills(connection: UpstreamConnection, begins: bytes = b"") -> None:
    says(connection, begins.ljust(len(connection.get_buffer(-1)), b"x"))


async def test_after_as_much_as_is_read_at_once_a_server_rests_a_little() -> None:
    connection, wire = connected()
    await ask(connection)
    says(connection, HEAD + b"x")
    assert wire.is_reading()
    fills(connection)
    assert not wire.is_reading()
    await eventually(wire.is_reading)


async def test_a_rest_that_is_over_reads_nothing_that_nobody_wants_yet() -> None:
    connection, wire = connected()
    answer = await ask(connection)
    fills(connection, HEAD)
    connection.pause()
    await asyncio.sleep(0.02)
    assert not wire.is_reading()
    assert await answer.next_chunk() is not None
    assert wire.is_reading()


async def test_who_reads_on_while_the_server_rests_waits_for_the_rest_to_end() -> None:
    connection, wire = connected()
    answer = await ask(connection)
    fills(connection, HEAD)
    connection.pause()
    assert await answer.next_chunk() is not None
    assert not wire.is_reading()
    await eventually(wire.is_reading)


async def test_what_is_closed_while_it_rests_is_not_read_again() -> None:
    connection, wire = connected()
    await ask(connection)
    fills(connection, HEAD)
    connection.close()
    await asyncio.sleep(0.02)
    assert not wire.is_reading()


async def test_what_was_not_read_to_its_end_is_no_answer_to_the_next_request() -> None:
    """The server sends more than it was asked for, past what one read takes in."""
    connection, _ = connected()
    answer = await ask(connection)
    size = len(connection.get_buffer(-1))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    fills(connection, head % (size - len(head % size)))
    assert answer.complete and connection.closed
