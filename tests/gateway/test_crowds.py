"""Others are served however many connections wait to be admitted and whoever takes up the room."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from common.tokens import GRANT, new_token
from gateway.giving_way import Rank, Room
from tests.gateway.raw_http import Client, Conversation, Upstream, answer_ok
from tests.gateway.world import MALLORYS_SERVER, eventually, quick, world

PATIENT = {"head_seconds": 600.0, "body_grace_seconds": 600.0, "idle_seconds": 600.0}
HALF = b'{"jsonrpc":"2.0","id":1,'


async def gone(client: Client) -> bool:
    try:
        async with asyncio.timeout(60):
            await client.reader.read()
            return True
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "said",
    [b"", b"POST / HTTP/1.1\r\nX-A: ", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
    ids=["silent", "slow", "refused"],
)
async def test_who_was_not_let_in_gives_way_the_longest_here_first(tmp_path: Path, said: bytes) -> None:
    async with world(tmp_path, limits=quick(connections=16, **PATIENT)) as it, AsyncExitStack() as stack:
        alice = await stack.enter_async_context(it.client())
        assert (await alice.call("read_file", {})).status == 200
        strangers = [await stack.enter_async_context(it.client()) for _ in range(40)]
        for stranger in strangers:
            stranger.send(said)
        async with it.client() as bob:
            assert (await bob.call("read_file", {})).status == 200
        # She was admitted, so she keeps her connection though she asks for nothing now.
        assert (await alice.call("read_file", {})).status == 200
        assert len(it.http.connections) <= 17
        assert await gone(strangers[0])


async def test_a_stranger_that_reads_no_answer_is_not_kept_after_it_gave_way(tmp_path: Path) -> None:
    limits = quick(connections=2, write_high_bytes=1_000_000, **PATIENT)
    async with world(tmp_path, limits=limits) as it, it.client() as deaf:
        deaf.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await eventually(lambda: len(it.http.connections) == 1)
        (connection,) = it.http.connections
        transport = connection._transport
        assert transport is not None
        while not transport.get_write_buffer_size():
            deaf.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 60)
            await asyncio.sleep(0.01)
        async with it.client(), it.client() as alice:
            assert (await alice.call("read_file", {})).status == 200
            async with it.client(), it.client() as bob:
                assert (await bob.call("read_file", {})).status == 200
                await eventually(lambda: connection._transport is None)


async def test_who_asks_for_nothing_gives_way_where_no_stranger_is_left(tmp_path: Path) -> None:
    async with world(tmp_path, limits=quick(connections=4, **PATIENT)) as it, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(it.client()) for _ in range(4)]
        for client in idle:
            assert (await client.call("read_file", {})).status == 200
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            assert (await mallory.call("read_file", {})).status == 200
        assert await gone(idle[0])
        assert (await idle[3].call("read_file", {})).status == 200


async def test_who_is_being_served_never_gives_way(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def slowly(conversation: Conversation) -> None:
        await go.wait()
        await answer_ok(conversation)

    limits = quick(connections=2, answer_seconds=60.0, **PATIENT)
    async with world(tmp_path, upstream=Upstream(slowly), limits=limits) as it, AsyncExitStack() as stack:
        alice = await stack.enter_async_context(it.client())
        mallory = await stack.enter_async_context(it.client(token=it.mallorys_token, server=MALLORYS_SERVER))
        calls = [asyncio.create_task(who.call("read_file", {})) for who in (alice, mallory)]
        await eventually(lambda: len(it.upstream.received) == 2)
        async with it.client() as one_too_many:
            assert (await one_too_many.answer()).status == 503
        go.set()
        assert [(await call).status for call in calls] == [200, 200]


async def test_bodies_that_never_end_leave_room_for_others(tmp_path: Path) -> None:
    """This holds however many grants an organization has, and however little each of its bodies holds."""
    tokens = [new_token(GRANT) for _ in range(10)]
    async with world(tmp_path, limits=quick(connections=16, **PATIENT)) as it, AsyncExitStack() as stack:
        it.reconfigure(grants={token: {} for token in (it.token, *tokens)})
        slow = []
        for token in tokens:
            client = await stack.enter_async_context(it.client(token=token))
            client.send(client.head("POST", 1_000, {}) + HALF)
            slow.append(asyncio.create_task(client.answer()))
        await eventually(lambda: sum(one.done() for one in slow) == 2)
        assert {one.result().status for one in slow if one.done()} == {429}
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            assert (await mallory.call("read_file", {})).status == 200
        for one in slow:
            one.cancel()


@pytest.mark.parametrize("how", ["it ends", "the client leaves", "it is refused"])
async def test_the_place_of_a_body_that_comes_in_pieces_is_given_up_once(tmp_path: Path, how: str) -> None:
    async with world(tmp_path, limits=quick(**PATIENT)) as it:
        async with it.client() as alice:
            head = alice.head("POST", 100, {})
            alice.send(head + HALF)
            await eventually(lambda: it.gateway._open._left < it.http.limits.connections)
            if how != "the client leaves":
                if how == "it is refused":
                    it.config.organizations[0] = it.config.organizations[1]
                alice.send(b" " * (100 - len(HALF)))
                assert (await alice.answer()).status == (400 if how == "it ends" else 401)
        await eventually(lambda: not it.gateway._open._grants)
        assert it.gateway._open._left == it.http.limits.connections
        assert not it.gateway._rooms


class _Guest:
    def __init__(self, rank: Rank | None, since: float) -> None:
        self.rank, self.since, self.went = rank, since, False

    def expendable(self) -> tuple[Rank, float] | None:
        return None if self.rank is None else (self.rank, self.since)

    def give_way(self) -> None:
        self.went = True


def test_a_share_of_them_gives_way_at_once_and_only_of_the_lowest() -> None:
    strangers = [_Guest(Rank.STRANGER, float(100 - number)) for number in range(50)]
    others = [_Guest(Rank.IDLE, 0.0) for _ in range(10)] + [_Guest(None, 0.0) for _ in range(4)]
    assert Room(64).make([*strangers, *others])
    went = [guest for guest in (*strangers, *others) if guest.went]
    assert went == strangers[-5:]
    assert not Room(1).make([_Guest(None, 0.0)])
    assert Room(2).make([_Guest(None, 0.0)])
