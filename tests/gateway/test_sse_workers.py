"""The 2024-11-05 transport with several workers: a post may reach another than holds the stream."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common.unix_sockets import listening
from gateway.app import Gateway
from gateway.handover import Door, socket_of
from gateway.http_server import HttpServer
from tests.gateway.old_transport import OldServer, call, post, posts, stream_of
from tests.gateway.people import People
from tests.gateway.raw_http import Upstream
from tests.gateway.world import ACME, World, eventually, organization, quick, server, world

NAMES = ("gw-1", "gw-2")


@dataclass
class Second:
    """Another worker with the same configuration."""

    gateway: Gateway
    http: HttpServer
    doors: HttpServer


@asynccontextmanager
async def two_workers(
    tmp_path: Path, old: OldServer, *, far: bool = False, **how: Any
) -> AsyncIterator[tuple[World, Second]]:
    """Two workers on one machine; `far`: on two, which reach each other by their internal addresses."""
    folder = tmp_path / "doors"
    links = [
        socket.create_server(("127.0.0.1", 0)) if far else listening(socket_of(folder, name))
        for name in NAMES
    ]
    first, other = (
        Door(name, None, f"127.0.0.1:{link.getsockname()[1]}") if far else Door(name, folder)
        for name, link in zip(NAMES, links, strict=True)
    )
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(world(tmp_path, upstream=Upstream(old), door=first, **how))
        gateway = it.another(other)
        stack.callback(gateway.close)
        http = await gateway.serve("127.0.0.1", 0)
        stack.push_async_callback(http.close)
        doors = [
            await one.serve_workers(link) for one, link in zip((it.gateway, gateway), links, strict=True)
        ]
        for door in doors:
            stack.push_async_callback(door.close)
        yield it, Second(gateway, http, doors[0])


@pytest.mark.parametrize("far", [False, True])
async def test_a_message_that_reaches_another_worker_is_answered_on_the_stream(
    tmp_path: Path, far: bool
) -> None:
    async with two_workers(tmp_path, OldServer(), far=far) as (it, second), stream_of(it.client()) as stream:
        elsewhere = second.http.port
        assert (await post(it, stream, call("read_file", id=1), port=elsewhere)).status == 202
        assert (await stream.message())["result"]["content"][0]["text"] == "read_file"
        assert (await post(it, stream, call("delete_file", id=2), port=elsewhere)).status == 202
        assert (await stream.message())["result"]["isError"] is True
        assert (await post(it, stream, b"{", port=elsewhere)).status == 400
        assert posts(it) == ["read_file"]
        assert [entry.outcome for entry in it.log.decisions] == ["allow", "deny"]


async def test_a_message_handed_to_another_worker_may_wait_for_a_person_there(tmp_path: Path) -> None:
    people = People()
    limits = quick(answer_seconds=1.0, waiting_seconds=0.2, connect_seconds=1.0)
    async with (
        two_workers(tmp_path, OldServer(), people=people, hold_open_seconds=60, limits=limits) as (
            it,
            second,
        ),
        stream_of(it.client()) as stream,
    ):
        posted = asyncio.create_task(post(it, stream, call("approved_only"), port=second.http.port))
        await eventually(lambda: bool(people.cases))
        await asyncio.sleep(3.0)  # longer than forwarding may take
        people.answer("approved")
        assert (await posted).status == 202
        assert (await stream.message())["result"]["content"][0]["text"] == "approved_only"


async def test_a_page_may_read_what_the_other_worker_says(tmp_path: Path) -> None:
    page = {"Origin": "https://app.example"}
    async with two_workers(tmp_path, OldServer()) as (it, second), stream_of(it.client()) as stream:
        answer = await post(it, stream, call("read_file"), port=second.http.port, **page)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (202, page["Origin"])


async def test_the_door_lets_in_whom_the_gateway_lets_in_and_nobody_else(tmp_path: Path) -> None:
    async with two_workers(tmp_path, OldServer()) as (it, _), stream_of(it.client()) as stream:
        folder = tmp_path / "doors"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_of(folder, "gw-1").stat().st_mode & 0o777 == 0o600
        for token in (it.mallorys_token, "plg_junk"):
            reader, writer = await asyncio.open_unix_connection(str(socket_of(folder, "gw-1")))
            client = it.client(token=token)
            client.path = stream.address
            client.reader, client.writer = reader, writer
            assert (await client.post(call("read_file"))).status in (401, 404)
            writer.close()
        assert posts(it) == []


async def test_a_worker_that_is_gone_is_404_and_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.refused")
    async with two_workers(tmp_path, OldServer()) as (it, second), stream_of(it.client()) as stream:
        await second.doors.close()
        assert (await post(it, stream, call("read_file"), port=second.http.port)).status == 404
        socket_of(tmp_path / "doors", "gw-1").unlink(missing_ok=True)
        assert (await post(it, stream, call("read_file"), port=second.http.port)).status == 404
        assert posts(it) == []
        await eventually(lambda: "refused: There is no such stream." in caplog.messages)


async def test_a_policy_that_another_worker_does_not_know_yet_is_the_holders(tmp_path: Path) -> None:
    """The worker that holds the stream judges; what the worker that was reached knows decides nothing."""
    async with two_workers(tmp_path, OldServer()) as (it, second), stream_of(it.client()) as stream:
        closed = '{"version": "1", "default": "deny"}'
        it.config.organizations[0] = organization(
            ACME, server(it.upstream.url), {it.token: {}}, document=closed
        )
        it.gateway.on_swap()
        assert (await post(it, stream, call("read_file"), port=second.http.port)).status == 202
        assert (await stream.message())["result"]["isError"] is True
        assert posts(it) == []
