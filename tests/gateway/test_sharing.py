"""Large work is done in turns as soon as anyone else calls, too."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway import sharing as sharing_module
from gateway.sharing import Sharing
from tests.gateway.raw_http import Client, Conversation, Upstream
from tests.gateway.world import ACME, MALLORYS_SERVER, UMBRA, eventually, world


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def busy() -> tuple[Sharing, Clock]:
    clock = Clock()
    pace = Sharing(clock)
    pace.heard(ACME)
    pace.heard(UMBRA)
    return pace, clock


def test_who_has_used_up_its_share_waits_until_it_has_saved_it_again() -> None:
    pace, clock = busy()
    assert not pace.owes(UMBRA)
    for _ in range(150):
        pace.spent(UMBRA, 0.002)
    assert pace.owes(UMBRA)
    assert not pace.owes(ACME)
    clock.now += 0.9
    pace.heard(ACME)
    assert pace.owes(UMBRA)
    for _ in range(3):
        clock.now += 0.5
        pace.heard(UMBRA)
        pace.heard(ACME)
    assert not pace.owes(UMBRA)


def test_a_long_stretch_counts_for_more_than_its_time() -> None:
    pace, _ = busy()
    pace.spent(ACME, 0.005)
    pace.spent(UMBRA, 0.050)
    assert not pace.owes(ACME)
    assert pace.owes(UMBRA)


def test_a_stretch_that_everybody_meets_is_met_by_one_call_in_a_hundred_at_most() -> None:
    pace, clock = busy()
    for stretch in (0.005, 0.010, 0.050):
        began, held = clock.now, 0.0
        while clock.now < began + 600:
            if not pace.owes(UMBRA):
                pace.spent(UMBRA, stretch)
                held += stretch
            clock.now += 0.05
            pace.heard(ACME)
        assert 0 < held < 0.01 * 600


def test_what_was_done_alone_is_held_against_nobody_for_long() -> None:
    pace, clock = busy()
    for _ in range(1_000):
        pace.spent(UMBRA, 1.0)
    clock.now += 15.1
    pace.heard(UMBRA)
    pace.heard(ACME)
    assert not pace.owes(UMBRA)


def test_who_is_alone_waits_for_nobody() -> None:
    pace, clock = busy()
    pace.spent(UMBRA, 1.0)
    assert pace.owes(UMBRA)
    clock.now += 1.1
    pace.heard(UMBRA)
    pace.spent(UMBRA, 1.0)
    clock.now += 1.1
    assert not pace.owes(UMBRA)


def test_who_called_long_ago_waits_as_long_as_others_call() -> None:
    """As with a stream that continues without calls: an organization is not alone because it is silent."""
    pace, clock = busy()
    for _ in range(5):
        pace.spent(UMBRA, 1.0)
        clock.now += 0.9
        pace.heard(ACME)
        assert pace.owes(UMBRA)
        assert not pace.owes(ACME)
    pace.spent(ACME, 1.0)
    assert not pace.owes(ACME)


def test_what_was_saved_again_is_forgotten() -> None:
    pace, clock = busy()
    pace.spent(UMBRA, 0.01)
    clock.now += 60
    pace.tick()
    assert not pace._savings


async def _call_for_ever(client: Client) -> None:
    while True:
        await client.call("read_file", {})


async def test_a_large_body_of_one_waits_while_another_calls_and_is_answered_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_module, "_LONGEST_WAIT", 2.0)
    async with (
        world(tmp_path) as it,
        it.client() as alice,
        it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory,
    ):
        calling = asyncio.ensure_future(_call_for_ever(alice))
        await mallory.call("read_file", {})
        it.gateway._sharing.spent(UMBRA, 60.0)
        before = len(it.upstream.received)
        answer = await mallory.call("search", {"x": "y" * 100_000})
        # Without the wait it would be the next to arrive, or the one after.
        assert len(it.upstream.received) > before + 5
        assert "isError" not in answer.json["result"]
        calling.cancel()


async def test_what_waited_is_judged_by_what_holds_when_its_turn_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_module, "_LONGEST_WAIT", 0.4)
    async with (
        world(tmp_path) as it,
        it.client() as alice,
        it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory,
    ):
        calling = asyncio.ensure_future(_call_for_ever(mallory))
        await alice.call("read_file", {})
        it.gateway._sharing.spent(ACME, 60.0)
        waiting = asyncio.ensure_future(alice.call("search", {"x": "y" * 100_000}))
        await asyncio.sleep(0.1)
        it.config.organizations.pop(0)
        it.gateway.on_swap()
        assert (await waiting).status == 401
        calling.cancel()
        await eventually(lambda: it.http.running <= 1)


async def test_a_list_no_gateway_would_look_through_is_not_even_taken_in(tmp_path: Path) -> None:
    sent = 0

    async def flood(conversation: Conversation) -> None:
        nonlocal sent
        conversation.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        conversation.write(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[')
        tool = json.dumps({"name": "read_file", "description": "x" * 65_536}).encode() + b","
        while not conversation.writer.is_closing() and sent < 1_000:
            conversation.write(tool)
            await conversation.writer.drain()
            sent += 1

    async with world(tmp_path, upstream=Upstream(flood)) as it, it.client() as alice:
        listed = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert listed.json["error"]["data"] == {"code": "upstream_too_large"}
        await eventually(lambda: it.upstream.gone == 1)
    assert sent < 200
