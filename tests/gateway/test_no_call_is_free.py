"""No charge is evaded, and none is given back but where no byte of the call was sent."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from tests.gateway.raw_http import Answer, Client, Conversation, Upstream, answer_ok
from tests.gateway.world import World, eventually, quick, world

META = "policylayer/decision"
DOCUMENT = """{
  "version": "1", "default": "deny",
  "tools": {
    "pay": { "limits": [
      { "counter": "spent", "window": "hour", "max": 10, "scope": "grant",
        "increment_from": "args.amount" } ] },
    "search": { "limits": [ { "counter": "calls", "window": "hour", "max": 2, "scope": "grant" } ] }
  }
}"""


def code_of(answer: Answer) -> str | None:
    found: str | None = answer.json["result"].get("_meta", {}).get(META, {}).get("code")
    return found


async def pay(client: Client, amount: str, tool: str = "pay") -> Answer:
    arguments = f'{{"amount": {amount}}}' if amount else "{}"
    params = f'{{"name":"{tool}","arguments":{arguments}}}'
    body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'
    return await client.post(body.encode())


NO_COSTS = (
    *("-1", "-0.000001", "-1e-9", "-1e300", '"1"', '""', '"0"', "null", "true", "[]", "[1]", "{}"),
    *('{"n": 1}', "", "1e300", "9007199254740992", "0.10000000000000001", "1e-400", "10.000001", "11"),
)


@pytest.mark.parametrize("amount", NO_COSTS)
async def test_a_cost_that_is_none_or_does_not_fit_sends_nothing(tmp_path: Path, amount: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        assert code_of(await pay(alice, amount)) in ("undecidable", "limit_exceeded")
        assert it.upstream.received == []
        assert code_of(await pay(alice, "10")) is None
        assert code_of(await pay(alice, "0.000001")) == "limit_exceeded"


@pytest.mark.parametrize(
    ("amount", "times"), [("5", 2), ("5.0", 2), ("50e-1", 2), ("3.3", 3), ("2.5000001", 3), ("1e1", 1)]
)
async def test_a_cost_is_what_the_server_reads_rounded_up(tmp_path: Path, amount: str, times: int) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        codes = [code_of(await pay(alice, amount)) for _ in range(times + 1)]
        assert codes == [None] * times + ["limit_exceeded"]
        assert len(it.upstream.received) == times


async def test_the_smallest_part_of_a_cost_is_a_millionth_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        assert code_of(await pay(alice, "9.999999")) is None
        assert code_of(await pay(alice, "0.0000000001")) is None
        assert code_of(await pay(alice, "0.0000000001")) == "limit_exceeded"


@pytest.mark.parametrize("tool", ["Pay", "PAY", "pay ", " pay", "p\\u0430y", "pay\\u200b", "ｐay", "./pay"])
async def test_another_spelling_of_the_tool_is_another_tool(tmp_path: Path, tool: str) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        assert code_of(await pay(alice, "1", tool)) == "not_available"
        assert it.upstream.received == []


async def test_another_spelling_of_the_argument_is_another_argument(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        for name in ("Amount", "AMOUNT", "amount ", "am\\u006funt2"):
            arguments = json.loads(f'{{"{name}": 1}}')
            assert code_of(await alice.call("pay", arguments)) == "undecidable"
        twice = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":%b}}'
        for pair in (b'{"amount":0,"amount":9}', b'{"amount":0,"\\u0061mount":9}'):
            assert (await alice.post(twice % pair)).status == 400
        assert it.upstream.received == []


async def fails(conversation: Conversation) -> None:
    conversation.json({"oops": 1}, status=500)


async def errs(conversation: Conversation) -> None:
    error = {"code": -32603, "message": "no"}
    conversation.json({"jsonrpc": "2.0", "id": conversation.request.json["id"], "error": error})


async def refuses(conversation: Conversation) -> None:
    conversation.json({}, status=401)


async def says_it_failed(conversation: Conversation) -> None:
    conversation.result({"content": [], "isError": True})


async def hangs(conversation: Conversation) -> None:
    await asyncio.sleep(30)


async def hangs_up(conversation: Conversation) -> None:
    conversation.vanish()


async def breaks_off(conversation: Conversation) -> None:
    conversation.begin_stream()
    conversation.event(": begun\n\n")
    conversation.vanish()


@pytest.mark.parametrize(
    "behaviour", [fails, errs, refuses, says_it_failed, hangs, hangs_up, breaks_off, answer_ok]
)
async def test_a_call_that_was_sent_stays_charged_whatever_the_server_does(
    tmp_path: Path, behaviour: object
) -> None:
    upstream = Upstream(behaviour)  # type: ignore[arg-type]
    limits = quick(answer_seconds=0.2)
    async with world(tmp_path, upstream=upstream, limits=limits) as it:
        it.reconfigure(document=DOCUMENT)
        for _ in range(2):
            await _try(it)
        async with it.client() as alice:
            assert code_of(await alice.call("search", {})) == "limit_exceeded"
        assert len(it.upstream.received) == 2


async def _try(it: World) -> None:
    """However it ends: a stream that is broken off has no end."""
    async with it.client() as alice:
        with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            await alice.call("search", {})


async def test_a_client_that_leaves_before_the_answer_has_paid(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(hangs)) as it:
        it.reconfigure(document=DOCUMENT)
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search"}}
        body = json.dumps(message).encode()
        for number in (1, 2):
            async with it.client() as leaving:
                leaving.send(leaving.head("POST", len(body), {}) + body)
                await eventually(lambda number=number: len(it.upstream.received) == number)  # type: ignore[misc]
        async with it.client() as alice:
            assert code_of(await alice.call("search", {})) == "limit_exceeded"


async def test_a_call_whose_server_is_not_there_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        url = it.upstream.url
        it.reconfigure(document=DOCUMENT, url="http://127.0.0.1:9/mcp")
        for _ in range(5):
            assert code_of(await alice.call("search", {})) == "upstream_unreachable"
        it.reconfigure(document=DOCUMENT, url=url)
        codes = [code_of(await alice.call("search", {})) for _ in range(3)]
        assert codes == [None, None, "limit_exceeded"]
        assert len(it.upstream.received) == 2


async def test_the_same_id_sent_again_is_another_call(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=DOCUMENT)
        codes = [code_of(await alice.call("search", {}, id=7)) for _ in range(3)]
        assert codes == [None, None, "limit_exceeded"]
