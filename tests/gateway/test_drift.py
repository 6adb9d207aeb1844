"""A server that lists other tools than its bundle is reported, and new definitions count for nothing yet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from gateway import drift as drift_module
from gateway.admitted import Admitted
from gateway.drift import REPORTED_EVERY, SAME_REPORTED_EVERY, DriftWatch
from gateway.protocol.strict_json import encode, parse
from gateway_config.wire.bundle import ToolClass
from gateway_config.wire.digest import definition_digest
from gateway_config.wire.messages import DriftReport
from servers.definitions import read_page
from tests.gateway.people import People
from tests.gateway.raw_http import Client, Conversation, Upstream
from tests.gateway.world import ACME, SERVER, World, eventually, organization, server, world

Tool = dict[str, Any]
READ_ONLY = '{"version": "1", "default": "deny", "classes": {"Read": {}}}'
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def tool(name: str, **more: Any) -> Tool:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


KNOWN = [tool("list_customers"), tool("list_orders")]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shop:
    """Lists the tools it is given, whole or in pages, as JSON or in a stream."""

    def __init__(self) -> None:
        self.pages = [list(KNOWN)]
        self.streams = False

    async def __call__(self, conversation: Conversation) -> None:
        asked = conversation.request.json
        if asked["method"] != "tools/list":
            return conversation.result({"content": []})
        page = int(asked["params"].get("cursor", "0"))
        result: dict[str, Any] = {"tools": self.pages[page]}
        if page + 1 < len(self.pages):
            result["nextCursor"] = str(page + 1)
        if not self.streams:
            return conversation.result(result)
        conversation.begin_stream()
        conversation.message({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        return conversation.end_stream()


class Place:
    def __init__(self, it: World, shop: Shop, clock: Clock, watch: DriftWatch, alice: Client) -> None:
        self.it, self.shop, self.clock, self.watch, self.alice = it, shop, clock, watch, alice
        self.told: list[DriftReport] = []

    async def listed(self, cursor: str | None = None) -> list[str]:
        message = LIST if cursor is None else LIST | {"params": {"cursor": cursor}}
        answer = await self.alice.post(message)
        body = answer.json if answer.body.startswith(b"{") else json.loads(answer.events[-1])
        return [each["name"] for each in body["result"]["tools"]]

    async def code_of_call(self, name: str) -> str | None:
        result = (await self.alice.call(name, {})).json["result"]
        return result["_meta"]["policylayer/decision"]["code"] if "isError" in result else None

    async def until_code_of_call(self, name: str, code: str | None) -> None:
        """Repeat the call until it gets this code: it waits until the worker has heard the news."""
        for _ in range(2_000):
            found = await self.code_of_call(name)
            if found == code or found != "approval_required":
                break
            await asyncio.sleep(0.02)
        assert found == code

    def publish(self) -> None:
        digests = {each["name"]: definition_digest(each) for each in KNOWN}
        classes = [ToolClass(name, "Read", digest) for name, digest in digests.items()]
        self.it.reconfigure(document=READ_ONLY, tools=digests, classes=classes)

    async def hear(self) -> int:
        """Return how many reports were made since the last time."""
        await asyncio.sleep(0.02)
        heard, self.told = self.told, []
        assert set(heard) <= {DriftReport(ACME, SERVER)}
        return len(heard)

    async def take(self, reports: list[DriftReport]) -> None:
        self.told += reports


@asynccontextmanager
async def place(tmp_path: Path, **more: Any) -> AsyncIterator[Place]:
    shop, clock = Shop(), Clock()
    watch = DriftWatch(clock)
    async with world(tmp_path, upstream=Upstream(shop), drift=watch, **more) as it, it.client() as alice:
        found = Place(it, shop, clock, watch, alice)
        found.publish()
        shipping = asyncio.create_task(watch.ship(found.take))
        yield found
        shipping.cancel()


async def test_a_list_as_it_was_scanned_is_no_news(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages = [[{**one, "_meta": {"n": 1}, "icons": []} for one in reversed(KNOWN)]]
        assert await here.listed() == ["list_orders", "list_customers"]
        assert await here.code_of_call("list_customers") is None
        assert await here.hear() == 0


@pytest.mark.parametrize("streams", [False, True], ids=["json", "stream"])
async def test_a_changed_tool_has_no_class_until_the_next_bundle(tmp_path: Path, streams: bool) -> None:
    async with place(tmp_path) as here:
        here.shop.streams = streams
        assert await here.code_of_call("list_customers") is None
        here.shop.pages[0][0] = tool("list_customers", description="Also deletes them.")
        assert await here.listed() == ["list_orders"]
        assert await here.code_of_call("list_customers") == "not_available"
        assert await here.code_of_call("list_orders") is None
        assert await here.hear() == 1
        here.publish()
        assert await here.code_of_call("list_customers") is None


APPROVED_ONLY = """{"version": "1", "default": "deny", "tools": {
    "list_customers": {}, "list_orders": {"action": "require_approval"}}}"""


def _publish_approved_only(here: Place) -> None:
    here.it.reconfigure(
        document=APPROVED_ONLY, tools={each["name"]: definition_digest(each) for each in KNOWN}
    )


async def _calls_sent(here: Place) -> int:
    return sum(request.json["method"] == "tools/call" for request in here.it.upstream.received)


@pytest.mark.parametrize("asked_before", [True, False])
async def test_no_approval_holds_for_a_changed_tool_until_the_next_bundle(
    tmp_path: Path, asked_before: bool
) -> None:
    people = People()
    async with place(tmp_path, people=people) as here:
        _publish_approved_only(here)
        if asked_before:
            assert await here.code_of_call("list_orders") == "approval_required"
            people.answer("approved")
        here.shop.pages[0][1] = tool("list_orders", description="And deletes them.")
        await here.listed()
        # Nobody is asked either: they would approve a definition that they were not shown.
        assert await here.code_of_call("list_orders") == "approval_unavailable"
        assert len(people.cases) == int(asked_before)
        assert await here.code_of_call("list_customers") is None
        assert await _calls_sent(here) == 1
        _publish_approved_only(here)
        await here.until_code_of_call("list_orders", None if asked_before else "approval_required")


async def test_a_tool_that_changes_while_its_approval_is_fetched_is_not_called(tmp_path: Path) -> None:
    people = People()
    async with place(tmp_path, people=people) as here, here.it.client() as another:
        _publish_approved_only(here)
        assert await here.code_of_call("list_orders") == "approval_required"
        people.answer("approved")
        here.shop.pages[0][1] = tool("list_orders", description="And deletes them.")
        people.meanwhile = lambda: another.post(LIST)
        await here.until_code_of_call("list_orders", "approval_unavailable")
        assert await _calls_sent(here) == 0
        # The approval was not used, so it is given back.
        await eventually(lambda: people.cases[0].state == "approved")


async def test_a_tool_that_was_never_scanned_is_not_listed(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.it.reconfigure(
            document='{"version": "1", "default": "allow"}',
            tools={each["name"]: definition_digest(each) for each in KNOWN},
        )
        here.shop.pages = [[*KNOWN, tool("drop_table")]]
        assert await here.listed() == ["list_customers", "list_orders"]
        assert await here.code_of_call("drop_table") == "not_available"
        assert here.it.log.decisions[-1].code == "not_listed"
        assert await here.hear() == 1


async def test_a_tool_that_is_gone_is_missed_only_on_a_whole_list(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages = [KNOWN[:1], KNOWN[1:]]
        await here.listed()
        await here.listed("1")
        assert await here.hear() == 0
        here.shop.pages = [KNOWN[:1]]
        await here.listed()
        assert await here.hear() == 1


async def test_a_change_on_a_later_page_is_seen(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages = [KNOWN[:1], [tool("list_orders", title="Orders")]]
        await here.listed()
        await here.listed("1")
        assert await here.hear() == 1


async def test_the_second_definition_of_a_name_is_looked_at_too(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages = [[*KNOWN, tool("list_orders", description="the one some clients take")]]
        await here.listed()
        assert await here.code_of_call("list_orders") == "not_available"


async def test_one_server_is_reported_once_a_minute_whatever_it_lists(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        for number in range(20):
            here.shop.pages = [[tool("list_customers", description=str(number)), KNOWN[1]]]
            await here.listed()
        assert await here.hear() == 1
        here.clock.now += REPORTED_EVERY
        here.shop.pages = [[tool("list_customers", description="again"), KNOWN[1]]]
        await here.listed()
        assert await here.hear() == 1


async def test_the_same_difference_is_told_again_only_after_a_while(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages = [[*KNOWN, tool("drop_table")]]
        await here.listed()
        here.clock.now += 2 * REPORTED_EVERY
        await here.listed()
        assert await here.hear() == 1
        here.clock.now += SAME_REPORTED_EVERY
        await here.listed()
        assert await here.hear() == 1


async def test_a_report_that_was_not_heard_is_told_again() -> None:
    watch, heard, deaf = DriftWatch(), asyncio.Event(), [True, True]

    async def send(reports: list[DriftReport]) -> None:
        if deaf:
            deaf.pop()
            raise OSError
        heard.set()

    watch._waiting[ACME, SERVER] = DriftReport(ACME, SERVER)
    watch._news.set()
    shipping = asyncio.create_task(watch.ship(send))
    await asyncio.wait_for(heard.wait(), 60)
    shipping.cancel()
    watch.close()


async def test_a_long_definition_is_looked_at_beside_the_loop(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.shop.pages[0][0] = tool("list_customers", description="x" * 100_000)
        await here.listed()
        await eventually(lambda: bool(here.watch._moved))
        assert await here.code_of_call("list_customers") == "not_available"
        assert await here.hear() == 1


async def test_an_organization_whose_servers_cost_too_much_is_scanned_and_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_module, "_MOST_SAVED_SECONDS", 0.0)
    async with place(tmp_path) as here:
        here.shop.pages[0][0] = tool("list_customers", description="other")
        await here.listed()
        assert not here.watch._moved
        assert await here.hear() == 1


def test_scan_and_gateway_read_one_digest_from_one_text() -> None:
    """Each plane has its own parser; two would differ in numbers, escapes and the order of keys."""
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = Random(seed)
    for _ in range(300):
        text = _definition(chance, 4)
        page = f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{text}]}}}}'.encode()
        (scanned,) = read_page("application/json", page).tools
        relayed: Any = parse(page, max_depth=None)
        listed = relayed["result"]["tools"][0]
        again: Any = parse(encode(listed), max_depth=None)
        assert definition_digest(scanned) == definition_digest(listed) == definition_digest(again), text


NUMBERS = ("0", "-0", "-0.0", "1", "1.0", "1e2", "100", "1E-9", "0.10", "12345678901234567890123", "1e400")
STRINGS = ('"a"', '"\\u0061"', '"\\/"', '"/"', '"é"', '"\\u00e9"', '"\\ud83d\\ude00"', '"😀"', '"\\u007f"')


def _definition(chance: Random, depth: int) -> str:
    kind = chance.randrange(6 if depth else 3)
    if depth == 4 or kind >= 4:
        keys = chance.sample(["name", "b", "Ä", "é", "_meta", "icons", "😀", "ﬀ"], chance.randrange(1, 6))
        members = [f'"{key}" : {_definition(chance, depth - 1)}' for key in keys]
        return "{" + ", ".join(members) + "}"
    if kind == 3:
        return "[" + " ,".join(_definition(chance, depth - 1) for _ in range(chance.randrange(4))) + "]"
    if kind == 2:
        return chance.choice(("true", "false", "null"))
    return chance.choice(NUMBERS if kind else STRINGS)


async def test_a_look_that_ends_after_a_new_bundle_hides_nothing_that_was_seen_since(tmp_path: Path) -> None:
    scanned = {"small": "0" * 64, "long": "0" * 64}
    before, now = (
        organization(ACME, server("http://shop.example/mcp", tools=scanned), {"plg_a": {}}, revision=number)
        for number in (7, 8)
    )
    old, new = (
        Admitted(b"", one, next(iter(one.grants.values())), one.servers[SERVER]) for one in (before, now)
    )
    watch = DriftWatch()
    try:
        watch.look(old, [tool("long", description="x" * 10_000)], whole=False)
        watch.look(new, [tool("small")], whole=False)
        assert watch.moved(new, "small")
        await eventually(lambda: not watch._busy)
        assert watch.moved(new, "small")
    finally:
        watch.close()
