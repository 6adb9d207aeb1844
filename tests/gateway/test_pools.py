"""The connections to one server: whose turn it is, and what happens to data that no request asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from common.egress import EgressPolicy, parse_networks
from common.tls import trusting
from gateway.upstream import Pool
from gateway.upstream_answer import UpstreamError
from gateway.upstream_connection import read_buffer
from gateway.upstream_target import Target
from tests.gateway.world import quick

_REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@asynccontextmanager
async def pool(**limits: Any) -> AsyncIterator[tuple[Pool, list[asyncio.StreamWriter]]]:
    """The pool of a server that says nothing, and the server's ends of its connections."""
    ends: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        await reader.read(-1)
        writer.close()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        place = f"http://a.example:{server.sockets[0].getsockname()[1]}/"
        target = Target.of(place, "", {}, trusting(""), b"")
        its = Pool(
            target, EgressPolicy(parse_networks("127.0.0.0/8")), resolve, quick(**limits), read_buffer()
        )
        try:
            yield its, ends
        finally:
            its.close()
            await asyncio.sleep(0)


async def test_a_connection_that_comes_in_the_moment_the_wait_ends_breaks_nobody_s_call() -> None:
    async with pool(connections_per_server=1, waiting_seconds=0.1) as (its, _):
        taken = await its.take()
        waiting = asyncio.ensure_future(its.take())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.11, its.put_back, taken)
        time.sleep(0.15)  # noqa: ASYNC251 - both are due in one pass of the loop
        with pytest.raises(UpstreamError) as told:
            await waiting
        assert not told.value.sent
        assert await its.take() is taken


async def test_a_connection_that_could_not_be_opened_leaves_its_place_to_the_next() -> None:
    async with pool(connections_per_server=2, waiting_seconds=30.0) as (its, _):
        kept, closed = await its.take(), await its.take()
        waiting = [asyncio.ensure_future(its.take()) for _ in range(2)]
        await asyncio.sleep(0.01)
        open_one, failures = its._connect_to, [ConnectionRefusedError()]

        async def fails_once(address: str) -> Any:
            if failures:
                raise failures.pop()
            return await open_one(address)

        its._connect_to = fails_once  # type: ignore[method-assign]
        closed.close()
        async with asyncio.timeout(20):
            first, second = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, UpstreamError)
        assert not isinstance(second, BaseException)
        assert second is not kept


async def test_what_comes_before_anything_was_asked_answers_nobody() -> None:
    async with pool() as (its, _):
        connection = await its.take()
        answer = connection.send(_REQUEST)
        connection.get_buffer(0)[: len(_ANSWER)] = _ANSWER
        connection.buffer_updated(len(_ANSWER))
        with pytest.raises(UpstreamError) as told:
            await answer.head()
        assert not told.value.sent
        assert connection.closed


async def test_on_a_connection_that_closes_before_anything_was_written_nothing_was_sent() -> None:
    async with pool() as (its, _):
        connection = await its.take()
        answer = connection.send(_REQUEST)
        assert connection._transport is not None
        connection._transport.close()  # as the event loop does when it sees that the server closed
        with pytest.raises(UpstreamError) as told:
            await answer.head()
        assert not told.value.sent


async def test_a_connection_lost_before_anything_was_written_was_sent_nothing() -> None:
    async with pool() as (its, ends):
        connection = await its.take()
        while not ends:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        answer = connection.send(_REQUEST)
        connection.connection_lost(None)
        with pytest.raises(UpstreamError) as told:
            await answer.head()
        assert not told.value.sent
