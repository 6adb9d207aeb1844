"""What takes long to judge is judged beside the event loop; what does not costs no thread."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.raw_http import Client
from tests.gateway.world import World, world

MANY_WORDS = [f"word {number}" for number in range(60)]
PATTERNS = [f"*{number:x}z*" for number in range(1000)]


def document(*conditions: tuple[str, str, Any], **more: Any) -> str:
    asked = [{"conditions": [{"path": path, "op": op, "value": value}]} for path, op, value in conditions]
    return json.dumps({"version": "1", "default": "deny", "tools": {"search": {"deny_if": asked}}, **more})


def judging() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("judge")}


class _Asked:
    def __init__(self, it: World, client: Client) -> None:
        self._it = it
        self._client = client

    async def was_aside(self, conditions: list[tuple[str, str, Any]], arguments: Any) -> bool:
        self._it.reconfigure(document=document(*conditions))
        before = judging()
        answer = await self._client.call("search", arguments)
        assert not answer.json["result"].get("isError"), answer.json
        return judging() > before


@pytest.mark.parametrize(
    ("conditions", "arguments"),
    [
        ([], {"x": "a" * 200_000}),
        ([("args.x", "length_gte", 900_000)], {"x": "a" * 200_000}),
        ([("args.x", "contains", "b")], {"x": "a" * 100_000}),
        ([("args.name", "regex", "^b"), ("args.x", "starts_with", "b")], {"name": "a", "x": "a" * 200_000}),
        ([("args.l[*]", "eq", 5)], {"l": [1] * 1500}),
    ],
)
async def test_a_long_call_whose_rules_read_little_of_it_is_judged_at_once(
    conditions: list[tuple[str, str, Any]], arguments: Any, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert not await _Asked(it, alice).was_aside(conditions, arguments)


@pytest.mark.parametrize(
    ("conditions", "arguments"),
    [
        ([("args.x", "regex", "b")], {"x": "a" * 8193}),
        ([("args.x", "regex", f"a[a-y]{{{n}}}z") for n in range(200, 240)], {"x": "a" * 150}),
        ([("args.l[*]", "eq", 5)], {"l": [1] * 2001}),
        ([("args.x", "contains", word) for word in MANY_WORDS], {"x": "a" * 100_000}),
    ],
)
async def test_a_call_of_which_much_is_read_is_judged_beside_the_loop(
    conditions: list[tuple[str, str, Any]], arguments: Any, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert await _Asked(it, alice).was_aside(conditions, arguments)


async def test_what_is_judged_beside_the_loop_is_judged_as_it_would_be_there(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=document(("args.x", "regex", "b$")))
        before = judging()
        denied = (await alice.call("search", {"x": "a" * 9000 + "b"})).json["result"]
        unsure = (await alice.call("search", {"x": "a" * 65_537})).json["result"]
        assert judging() > before
        codes = [told["_meta"]["policylayer/decision"]["code"] for told in (denied, unsure)]
        assert codes == ["denied", "undecidable"]
        assert not it.upstream.received


async def test_many_resources_named_at_once_are_judged_beside_the_loop(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=document(resources={"default": "allow", "deny": PATTERNS}))
        before = judging()
        read = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "file:///a"}}
        await alice.post(read)
        assert judging() == before
        read["params"] = {"uri": "file:///" + "a" * 9000}
        await alice.post(read)
        assert judging() > before
