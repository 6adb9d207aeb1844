"""Writes that are collected during one loop iteration: in order, before the connection ends, independent."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

from gateway.outbox import Outbox
from tests.gateway.world import world


async def test_what_is_added_in_one_turn_is_written_in_order_at_its_end() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    written: list[int] = []
    for number in range(3):
        outbox.add(partial(written.append, number))
    assert written == []
    await asyncio.sleep(0)
    assert written == [0, 1, 2]


def fails() -> None:
    raise RuntimeError("the handle is closed")


async def test_one_write_that_fails_holds_back_no_other() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    written: list[str] = []
    outbox.add(lambda: written.append("before"))
    outbox.add(fails)
    outbox.add(lambda: written.append("after"))
    await asyncio.sleep(0)
    assert written == ["before", "after"]


async def test_the_answer_to_a_client_that_closes_is_there_before_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_file"}}
        body = json.dumps(call).encode()
        alice.send(alice.head("POST", len(body), {"Connection": "close"}) + body)
        answer = await alice.answer()
        assert answer.json["result"]["isError"] is True
        assert answer.headers["connection"] == "close"
        assert await alice.closed()
