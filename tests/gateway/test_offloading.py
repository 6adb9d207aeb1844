"""A call that takes long to judge goes to a process beside the gateway; any other is judged without one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway import asked
from gateway.judge import serve
from gateway.judges import Judges, NotJudged
from gateway.judging import LENGTH, Question, Thing, framed, question_text, read_answer
from gateway.protocol import jsonrpc
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import Call, PromptGet, ResourceRead, ToolCall
from policies.language.parse import parse_policy
from tests.gateway.raw_http import Client
from tests.gateway.world import MALLORYS_SERVER, World, eventually, world

MANY_WORDS = [f"word {number}" for number in range(60)]
PATTERNS = [f"*{number:x}z*" for number in range(1000)]
LONG = {"x": "a" * 8193}
READS_MUCH = ("args.x", "regex", "b")


def document(*conditions: tuple[str, str, Any], **more: Any) -> str:
    denied = [{"conditions": [{"path": path, "op": op, "value": value}]} for path, op, value in conditions]
    return json.dumps({"version": "1", "default": "deny", "tools": {"search": {"deny_if": denied}}, **more})


def judge_of(it: World) -> int | None:
    return it.gateway._judges.pid


async def was_aside(
    it: World, client: Client, conditions: list[tuple[str, str, Any]], arguments: Any
) -> bool:
    it.reconfigure(document=document(*conditions))
    answer = await client.call("search", arguments)
    assert not answer.json["result"].get("isError"), answer.json
    return judge_of(it) is not None


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
        assert not await was_aside(it, alice, conditions, arguments)


@pytest.mark.parametrize(
    ("conditions", "arguments"),
    [
        ([READS_MUCH], LONG),
        ([("args.x", "regex", f"a[a-y]{{{n}}}z") for n in range(200, 240)], {"x": "a" * 150}),
        ([("args.l[*]", "eq", 5)], {"l": [1] * 2001}),
        ([("args.x", "contains", word) for word in MANY_WORDS], {"x": "a" * 100_000}),
    ],
)
async def test_a_call_of_which_much_is_read_is_judged_beside_the_gateway(
    conditions: list[tuple[str, str, Any]], arguments: Any, tmp_path: Path
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert await was_aside(it, alice, conditions, arguments)


@asynccontextmanager
async def judge_stopped(it: World, alice: Client) -> AsyncIterator[int]:
    """Start the judge with a call of Alice's, and stop it until the block ends; yields its process id."""
    it.reconfigure(document=document(READS_MUCH))
    await alice.call("search", LONG)
    judge = judge_of(it)
    assert judge is not None
    os.kill(judge, signal.SIGSTOP)
    try:
        yield judge
    finally:
        with suppress(ProcessLookupError):
            os.kill(judge, signal.SIGCONT)


async def test_others_are_answered_while_a_call_is_still_being_judged(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        async with judge_stopped(it, alice):
            judged = asyncio.ensure_future(alice.call("search", LONG))
            for other in (it.client(), it.client(token=it.mallorys_token, server=MALLORYS_SERVER)):
                async with other:
                    assert not (await other.call("search", {})).json["result"].get("isError")
            assert not judged.done()
        assert not (await judged).json["result"].get("isError")
        assert len(it.upstream.received) == 4


async def test_a_call_whose_judge_dies_is_denied_and_the_next_one_has_another(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        async with judge_stopped(it, alice) as judge:
            judged = asyncio.ensure_future(alice.call("search", LONG))
            await eventually(lambda: bool(it.gateway._judges._turns._busy))
            os.kill(judge, signal.SIGKILL)
            told = (await judged).json["result"]
        assert told["isError"]
        assert told["_meta"]["policylayer/decision"]["code"] == "internal_error"
        assert [entry.code for entry in it.log.decisions] == [None, "internal_error"]
        assert len(it.upstream.received) == 1
        assert not (await alice.call("search", LONG)).json["result"].get("isError")
        assert judge_of(it) != judge


async def test_the_judge_ends_with_its_gateway_and_was_told_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNDLE_KEYS", "a secret")
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=document(READS_MUCH))
        await alice.call("search", LONG)
        told = Path(f"/proc/{judge_of(it)}")
        assert b"a secret" not in (told / "environ").read_bytes()
    await eventually(lambda: not told.exists())


async def test_what_is_judged_beside_the_gateway_is_judged_as_it_would_be_there(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=document(("args.x", "regex", "b$")))
        denied = (await alice.call("search", {"x": "a" * 9000 + "b"})).json["result"]
        unsure = (await alice.call("search", {"x": "a" * 65_537})).json["result"]
        assert judge_of(it) is not None
        codes = [told["_meta"]["policylayer/decision"]["code"] for told in (denied, unsure)]
        assert codes == ["denied", "undecidable"]
        assert not it.upstream.received


async def test_many_resources_named_at_once_are_judged_beside_the_gateway(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(document=document(resources={"default": "allow", "deny": PATTERNS}))
        read = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "file:///a"}}
        await alice.post(read)
        assert judge_of(it) is None
        read["params"] = {"uri": "file:///" + "a" * 9000}
        await alice.post(read)
        assert judge_of(it) is not None


# The judges alone

EVERYTHING = """{
  "version": "1", "default": "deny",
  "tools": {
    "keys": {
      "require": [ { "conditions": [ { "path": "args.n", "op": "lte", "value": 3 } ], "on_deny": "No." } ],
      "limits": [
        { "counter": "a", "window": "minute", "max": 30, "scope": "grant", "key": "args.who" },
        { "counter": "b", "window": "hour", "max": 9, "scope": "server", "increment_from": "args.n" } ] },
    "pay": { "action": "require_approval", "reason": "Carol looks at payments." }
  },
  "classes": { "Read": {} },
  "resources": { "default": "deny", "allow": ["file:///public/*"] },
  "prompts": { "default": "allow", "deny": ["secret"] }
}"""


def calling(tool: str, arguments: str) -> tuple[ToolCall, bytes]:
    """The call, with arguments as the gateway reads them, and the request that contains it."""
    params = f'{{"name": "{tool}", "arguments": {arguments}}}'
    body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'.encode()
    message = jsonrpc.read(body)
    assert isinstance(message, jsonrpc.Request)
    return asked.tool_call(message), body


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("keys", '{"n": 2, "who": "alice"}'),
        ("keys", '{"n": 2.5, "who": 1.50}'),
        ("keys", '{"n": 1e0, "who": 12345678901234567890123}'),
        ("keys", '{"n": 0, "who": true}'),
        ("keys", '{"n": 1, "who": false}'),
        ("keys", '{"n": 4, "who": "alice"}'),
        ("keys", '{"n": "x"}'),
        ("keys", "[]"),
        ("pay", "{}"),
        ("read", "{}"),
        ("unknown", '{"x": "é ☃ \\u0000"}'),
    ],
)
async def test_every_decision_comes_back_as_it_was_made(tool: str, arguments: str) -> None:
    compiled = compile_policy(parse_policy(EVERYTHING), [ToolFacts("read", "Read"), ToolFacts("odd", None)])
    call, body = calling(tool, arguments)
    judges = Judges()
    try:
        assert await judges.decide("acme", compiled, [call], body) == (decide(compiled, call),)
    finally:
        judges.close()


async def test_several_things_are_judged_in_their_order_and_a_policy_is_sent_once() -> None:
    compiled = compile_policy(parse_policy(EVERYTHING), [])
    things: list[Call] = [
        ResourceRead("file:///public/a"),
        ResourceRead("file:///etc"),
        PromptGet("secret"),
        PromptGet("a"),
    ]
    judges = Judges()
    try:
        for _ in range(2):
            told = await judges.decide("acme", compiled, things, b"")
            assert told == tuple(decide(compiled, thing) for thing in things)
        assert len(judges._known) == 1
    finally:
        judges.close()


async def test_more_policies_than_the_judge_remembers_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.judges._MOST_POLICIES", 2)
    text = '{"version": "1", "default": "deny", "prompts": {"default": "%s"}}'
    several = [compile_policy(parse_policy(text % default), []) for default in ("allow", "deny", "allow")]
    judges, prompt = Judges(), PromptGet("a")
    try:
        for compiled in [*several, *several, *reversed(several)]:
            assert await judges.decide("acme", compiled, [prompt], b"") == (decide(compiled, prompt),)
        assert len(judges._known) == 2
    finally:
        judges.close()


async def test_one_whose_calls_are_many_does_not_keep_another_waiting_behind_them_all() -> None:
    compiled = compile_policy(parse_policy(EVERYTHING), [])
    judges, over = Judges(), []

    async def ask(organization: str) -> None:
        await judges.decide(organization, compiled, [PromptGet("a")], b"")
        over.append(organization)

    try:
        many = [asyncio.ensure_future(ask("umbra")) for _ in range(10)]
        await asyncio.sleep(0)
        one = asyncio.ensure_future(ask("acme"))
        await asyncio.gather(one, *many)
    finally:
        judges.close()
    assert over.index("acme") <= 2


async def test_one_who_no_longer_waits_leaves_the_next_answer_to_whom_it_belongs() -> None:
    compiled = compile_policy(parse_policy(EVERYTHING), [])
    judges = Judges()
    try:
        await judges.decide("acme", compiled, [PromptGet("a")], b"")
        asking = asyncio.ensure_future(judges.decide("acme", compiled, [PromptGet("secret")], b""))
        await asyncio.sleep(0)
        assert judges._turns._busy
        waiting = asyncio.ensure_future(judges.decide("acme", compiled, [PromptGet("secret")], b""))
        last = asyncio.ensure_future(judges.decide("acme", compiled, [PromptGet("a")], b""))
        await asyncio.sleep(0)
        asking.cancel()
        waiting.cancel()
        assert await last == (decide(compiled, PromptGet("a")),)
    finally:
        judges.close()


async def test_what_cannot_be_judged_is_not_allowed_and_ends_no_judge() -> None:
    compiled = compile_policy(parse_policy(EVERYTHING), [])
    call, body = calling("read", "{}")
    judges = Judges()
    try:
        await judges.decide("acme", compiled, [call], body)
        judge = judges.pid
        for broken in (b"{", b"[]", b'{"jsonrpc": "2.0", "method": "ping"}'):
            with pytest.raises(NotJudged):
                await judges.decide("acme", compiled, [call], broken)
        assert await judges.decide("acme", compiled, [call], body) == (decide(compiled, call),)
        assert judges.pid == judge
    finally:
        judges.close()


def test_a_question_about_a_policy_nobody_told_of_has_no_decision() -> None:
    asked = io.BytesIO(framed(question_text(Question(7, things=(Thing("prompt", "a"),)))))
    told = io.BytesIO()
    serve(asked, told)
    assert read_answer(told.getvalue()[LENGTH.size :]) == ()
