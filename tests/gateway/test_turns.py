"""Calls that arrive together each get their own answer, whatever happens to the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

from gateway import rulings
from gateway.effects import Answer as Answered
from gateway.effects import Effect, Ending
from gateway.limits import Limits
from gateway.turns import Turns
from gateway.upstream_answer import CLIENT_GONE, UpstreamAnswer, UpstreamError
from tests.gateway.limiters import Broken
from tests.gateway.raw_http import Answer, Conversation, Upstream, answer_ok
from tests.gateway.world import World, eventually, world

META = "policylayer/decision"
TOGETHER = 24


async def call_together(it: World, *tools: str) -> list[Answer]:
    """Call on one connection each, so that only the gateway puts the calls in order."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(it.client()) for _ in tools]
        # At once, because a client that sends nothing within ten seconds of connecting is turned away.
        await asyncio.gather(*(client.call("search", {}) for client in clients))
        calls = [client.call(tool, {}, id=tool) for client, tool in zip(clients, tools, strict=True)]
        return await asyncio.gather(*calls)


def code_of(answer: Answer) -> str:
    result: dict[str, Any] = answer.json["result"]
    return str(result["_meta"][META]["code"]) if result.get("isError") else "allowed"


def sent(it: World, tool: str) -> int:
    calls = [json.loads(request.body) for request in it.upstream.received]
    return sum(call["params"]["name"] == tool for call in calls)


async def test_calls_that_come_together_share_a_limit_exactly(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        answers = await call_together(it, *["create_access_key"] * TOGETHER)
        codes = [code_of(answer) for answer in answers]
        assert sorted(codes) == ["allowed"] * 2 + ["limit_exceeded"] * (TOGETHER - 2)
        assert sent(it, "create_access_key") == 2
        ours = [entry for entry in it.log.decisions if entry.tool == "create_access_key"]
        assert len(ours) == len({entry.id for entry in ours}) == TOGETHER


async def test_each_of_many_gets_the_answer_to_its_own_call(tmp_path: Path) -> None:
    tools = ["search", "delete_file", "read_file", "hidden_tool", "create_access_key"] * 4
    expected = {
        "search": {"allowed"},
        "read_file": {"allowed"},
        "delete_file": {"denied"},
        "hidden_tool": {"not_available"},
        "create_access_key": {"allowed", "limit_exceeded"},
    }
    async with world(tmp_path) as it:
        answers = await call_together(it, *tools)
        for tool, answer in zip(tools, answers, strict=True):
            assert answer.json["id"] == tool
            assert code_of(answer) in expected[tool]
        await eventually(lambda: it.http.running == 0)


async def test_a_limiter_that_fails_for_all_denies_only_those_it_was_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path, limiter=Broken()) as it:
        answers = await call_together(it, "create_access_key", "search", "create_access_key")
        codes = [code_of(answer) for answer in answers]
        assert codes == ["limiter_unavailable", "allowed", "limiter_unavailable"]
        assert sent(it, "create_access_key") == 0


async def test_what_cannot_be_recorded_is_not_sent_whoever_else_comes_with_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.client() as alice:
            await alice.call("search", {})
        before = len(it.upstream.received)
        it.log.full = True
        async with it.client() as alice, it.client() as alice_again:
            answers = await asyncio.gather(alice.call("search", {}), alice_again.call("read_file", {}))
        assert {code_of(answer) for answer in answers} == {"record_unavailable"}
        assert len(it.upstream.received) == before


async def test_a_server_that_leaves_in_the_middle_fails_the_calls_it_had(tmp_path: Path) -> None:
    async def leaves(conversation: Conversation) -> None:
        if conversation.request.json["params"]["name"] == "search":
            await answer_ok(conversation)
        else:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            conversation.write(head + b"{")
            conversation.writer.close()

    async with world(tmp_path, upstream=Upstream(leaves)) as it:
        answers = await call_together(it, *["read_file"] * 5)
        assert {code_of(answer) for answer in answers} == {"upstream_invalid"}
        await eventually(lambda: it.http.running == 0)
        assert len(it.log.completions) == len(it.log.decisions) == 10


class Passes:
    """Calls that end as soon as they are judged, and how many loop iterations each waited for that."""

    def __init__(self) -> None:
        self.waited: dict[str, int] = {}
        self._joined: dict[str, int] = {}
        self._now = 0
        given: Any = self
        self._turns = Turns(given, given, over=self._over, alone=given, broken=given)

    def ended(self, ending: Ending, visit: object) -> None:
        pass

    def _over(self, visit: object, ending: Ending) -> None:
        self.waited[str(visit)] = self._now - self._joined[str(visit)]

    def join(self, *names: str) -> None:
        def judged() -> Generator[Effect, Answered, Ending]:
            yield from ()
            return rulings.INTERNAL_ERROR

        for name in names:
            self._joined[name] = self._now
            self._turns.join(judged(), cast(Any, name))

    async def passes(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            self._now += 1


async def test_others_are_waited_for_only_where_calls_came_together() -> None:
    calls = Passes()
    for alone in ("alone", "alone again"):
        calls.join(alone)
        await calls.passes(10)
    soon = calls.waited["alone"]
    assert calls.waited["alone again"] == soon <= 2
    calls.join("first", "second")
    await calls.passes(10)
    assert calls.waited["first"] == calls.waited["second"] == soon
    calls.join("third")
    await calls.passes(3)
    calls.join("fourth")
    await calls.passes(10)
    assert calls.waited["third"] == calls.waited["fourth"] + 3 > soon
    # Calls that fill a whole turn wait for no others.
    calls.join(*(f"of many {number}" for number in range(64)))
    await calls.passes(10)
    assert calls.waited["of many 0"] == soon


EVENTS = b'event: message\ndata: {"jsonrpc":"2.0","id":%b,"result":{"content":[]}}\n\n'


def streams(wrapped: Callable[[bytes], bytes]) -> Upstream:
    async def answers(conversation: Conversation) -> None:
        events = wrapped(EVENTS % json.dumps(conversation.request.json["id"]).encode())
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
        conversation.write(head % len(events) + events)

    return Upstream(answers)


async def test_a_stream_that_ends_with_its_only_event_is_answered_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=streams(lambda event: b"id: 7\n" + event)) as it:
        answers = await call_together(it, *["search"] * 4)
        for answer in answers:
            assert answer.headers["content-type"] == "text/event-stream"
            identifier, rest = answer.body.split(b"\n", 1)
            assert rest == EVENTS % b'"search"'
            assert identifier.startswith(b"id: ") and identifier != b"id: 7"
        await eventually(lambda: it.http.running == 0)
        assert all(entry.upstream_code is None for entry in it.log.completions)


async def test_a_list_of_tools_in_the_only_event_of_a_stream_is_filtered(tmp_path: Path) -> None:
    listed = b'data: {"jsonrpc":"2.0","method":"x","result":{"tools":[{"name":"hidden_tool"}]}}\n\n'
    async with world(tmp_path, upstream=streams(lambda event: listed + event)) as it:
        (answer,) = await call_together(it, "search")
        assert b"hidden_tool" not in answer.body
        assert answer.body.endswith(EVENTS % b'"search"')


async def test_a_whole_stream_that_names_an_address_is_broken_off_with_an_error(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=streams(lambda event: b"event: endpoint\ndata: /x\n\n")) as it:
        async with it.client() as alice:
            answer = await alice.call("search", {})
        assert b"/x" not in answer.body
        assert b"upstream_invalid" in answer.body
        await eventually(
            lambda: [entry.upstream_code for entry in it.log.completions] == ["upstream_invalid"]
        )


class Nothing:
    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abandon(self) -> None: ...


async def test_an_answer_that_failed_before_anybody_waited_is_told_all_the_same() -> None:
    told = asyncio.Event()
    answer = UpstreamAnswer(Nothing(), Limits(), asyncio.get_running_loop().time, 0.0, 0.0)
    answer.fail(UpstreamError(CLIENT_GONE, "gone", sent=False))
    answer.when_it_arrives(asyncio.Event.set, told)
    assert not told.is_set()
    await asyncio.wait_for(told.wait(), 60)
