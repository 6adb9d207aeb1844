"""Calls in several rounds: what the client carries between them is bound, spent once, and never free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.tokens import GRANT, new_token
from gateway import states
from tests.gateway.limiters import Counting
from tests.gateway.raw_http import Answer, Client, Conversation, Upstream
from tests.gateway.test_approvals import asking
from tests.gateway.world import world

KEYS = "create_access_key"  # two a minute
INPUT = {"confirm": {"method": "elicitation/create", "params": {"mode": "form", "message": "Really?"}}}
META: dict[str, Any] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def asks(state: str | None = "the server's own state", rounds: int = 1) -> Upstream:
    """A server that wants input before it does anything, so many times."""

    async def behave(conversation: Conversation) -> None:
        params = conversation.request.json["params"]
        given = len(params.get("inputResponses", {}))
        if given >= rounds:
            conversation.result({"resultType": "complete", "content": [{"type": "text", "text": "done"}]})
            return
        carried = {} if state is None else {"requestState": f"{state} {given}"}
        conversation.result({"resultType": "input_required", "inputRequests": INPUT} | carried)

    return Upstream(behave)


async def say(client: Client, tool: str = KEYS, method: str = "tools/call", **params: Any) -> Answer:
    named = {"uri": tool} if method == "resources/read" else {"name": tool}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": named | {"_meta": META} | params}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": tool}
    return await client.post(message, **headers)


async def begin(client: Client, tool: str = KEYS, **params: Any) -> str:
    result = (await say(client, tool, **params)).json["result"]
    assert result["resultType"] == "input_required"
    state: str = result["requestState"]
    return state


DENYING = '{"version": "1", "default": "deny", "tools": {"create_access_key": {"action": "deny"}}}'
ANSWERED = {"confirm": {"action": "accept"}}


@pytest.mark.parametrize("state", ["the server's own state", None])
async def test_the_next_round_is_sent_and_not_charged_again(tmp_path: Path, state: str | None) -> None:
    async with world(tmp_path, upstream=asks(state)) as it, it.client() as alice:
        for _ in range(2):
            wrapped = await begin(alice)
            assert "server's own" not in wrapped
            answer = await say(alice, requestState=wrapped, inputResponses=ANSWERED)
            assert answer.json["result"]["content"][0]["text"] == "done"
        got = it.upstream.received[1].json["params"]
        assert got["inputResponses"] == ANSWERED
        assert got.get("requestState") == (None if state is None else f"{state} 0")
        refused = (await say(alice)).json["result"]
        assert refused["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"
        assert [entry.outcome for entry in it.log.decisions] == ["allow"] * 4 + ["deny"]


async def test_a_state_is_good_once(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        wrapped = await begin(alice)
        for _ in range(2):
            answer = await say(alice, requestState=wrapped, inputResponses=ANSWERED)
            assert "_meta" not in answer.json["result"]
        # The first call and the second use of its state have taken both units.
        third = await say(alice, requestState=wrapped, inputResponses=ANSWERED)
        assert third.json["result"]["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"
        assert len(it.upstream.received) == 3


async def test_a_round_without_its_state_is_an_ordinary_charged_call(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        for _ in range(2):
            assert "_meta" not in (await say(alice, inputResponses=ANSWERED)).json["result"]
        third = await say(alice, inputResponses=ANSWERED)
        assert third.json["result"]["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"


async def test_an_expired_state_makes_an_ordinary_charged_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        monkeypatch.setattr(states, "STATE_SECONDS", 0)
        wrapped = await begin(alice)
        assert "_meta" not in (await say(alice, requestState=wrapped, inputResponses=ANSWERED)).json["result"]
        refused = (await say(alice, requestState=wrapped)).json["result"]
        assert refused["_meta"]["policylayer/decision"]["code"] == "limit_exceeded"
        assert it.upstream.received[1].json["params"]["requestState"] == "the server's own state 0"


async def test_many_rounds_of_one_call_are_charged_once(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks(rounds=3)) as it, it.client() as alice:
        wrapped = await begin(alice)
        responses: dict[str, Any] = {}
        for number in range(3):
            responses[f"q{number}"] = {"action": "accept"}
            result = (await say(alice, requestState=wrapped, inputResponses=responses)).json["result"]
            wrapped = result.get("requestState", "")
        assert result["content"][0]["text"] == "done"
        assert len(it.upstream.received) == 4
        assert isinstance(await begin(alice), str)


def altered(state: str) -> list[str]:
    handle, _, mac = state.partition(".")
    return [
        "",
        "the server's own state",
        handle,
        f"{handle}.",
        f"{handle}.{mac[:-2]}AA",
        f"{handle[:-2]}AA.{mac}",
        f"{state}=",
        f" {state}",
        state.upper(),
        state + "é",
    ]


async def test_a_state_that_was_changed_is_refused_and_nothing_is_forwarded(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        wrapped = await begin(alice)
        for forged in [*altered(wrapped), 1, True, ["x"], {"a": "b"}]:
            answer = await say(alice, requestState=forged, inputResponses=ANSWERED)
            assert answer.json["error"]["code"] == -32602, forged
        assert len(it.upstream.received) == 1
        assert len(it.log.decisions) == 1


async def test_a_state_is_good_for_no_other_call_tool_or_grant(tmp_path: Path) -> None:
    bobs = new_token(GRANT)
    async with world(tmp_path, upstream=asks()) as it:
        it.reconfigure(grants={it.token: {}, bobs: {}})
        async with it.client() as alice, it.client(token=bobs) as bob, it.client(
            token=it.mallorys_token, server="00000000-0000-7000-8000-0000000005e2"
        ) as mallory:  # fmt: skip
            wrapped = await begin(alice, arguments={"user": "bob"})
            for client, tool, arguments in (
                (alice, KEYS, {"user": "carol"}),
                (alice, KEYS, {}),
                (alice, "search", {"user": "bob"}),
                (bob, KEYS, {"user": "bob"}),
                (mallory, KEYS, {"user": "bob"}),
            ):
                answer = await say(client, tool, arguments=arguments, requestState=wrapped)
                assert answer.json["error"]["code"] == -32602
        assert len(it.upstream.received) == 1


async def test_the_order_and_spelling_of_arguments_make_no_other_call(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        wrapped = await begin(alice, arguments={"user": "bob", "days": 30})
        again = b'{"days":3.0e1,"user":"b\\u006fb"}'
        body = (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_access_key","arguments":%b,'
            b'"requestState":"%b","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}'
        ) % (again, wrapped.encode())
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": KEYS}
        assert (await alice.post(body, **headers)).json["result"]["resultType"] == "input_required"
        assert len(it.upstream.received) == 2


async def test_a_denied_round_is_denied(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        wrapped = await begin(alice)
        it.reconfigure(
            document='{"version": "1", "default": "deny", "tools": {"create_access_key": {"action": "deny"}}}'
        )
        refused = (await say(alice, requestState=wrapped, inputResponses=ANSWERED)).json["result"]
        assert refused["_meta"]["policylayer/decision"]["code"] == "denied"
        assert len(it.upstream.received) == 1


async def test_a_limiter_that_cannot_tell_whether_it_was_spent_charges_it(tmp_path: Path) -> None:
    class Doubting(Counting):
        async def spend(self, ticket: str, seconds: int) -> bool:
            raise OSError("disk gone")

    doubting = Doubting()
    async with world(tmp_path, upstream=asks(), limiter=doubting) as it, it.client() as alice:
        wrapped = await begin(alice)
        await say(alice, requestState=wrapped, inputResponses=ANSWERED)
        assert len(doubting.reserved) == 2


async def test_resources_and_prompts_carry_wrapped_states_too(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        for method, name in (("resources/read", "file:///public/a"), ("prompts/get", "greeting")):
            wrapped = (await say(alice, name, method)).json["result"]["requestState"]
            assert wrapped != "the server's own state 0"
            await say(alice, name, method, requestState=wrapped, inputResponses=ANSWERED)
            assert it.upstream.received[-1].json["params"]["requestState"] == "the server's own state 0"
            other = await say(alice, f"{name}2", method, requestState=wrapped)
            assert other.json["error"]["code"] == -32602


async def test_a_state_in_a_stream_is_wrapped_as_well(tmp_path: Path) -> None:
    async def streams(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(": still there\n\n")
        result = {"resultType": "input_required", "requestState": "raw"}
        conversation.message({"jsonrpc": "2.0", "id": conversation.request.json["id"], "result": result})
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(streams)) as it, it.client() as alice:
        answer = await say(alice)
        assert b"raw" not in answer.body
        assert b"requestState" in answer.body


async def test_a_result_whose_state_is_wrapped_is_otherwise_as_the_server_wrote_it(tmp_path: Path) -> None:
    numbers = "[-0,1.50,1E400,123456789012345678901234567890]"
    before = f'"n":{numbers},"structuredContent":[null,"\u2028é"],"ours":{{"a":[]}},'
    body = (
        f'{{"jsonrpc":"2.0","id":1,"result":{{{before}"resultType":"input_required","requestState":"raw"}}}}'
    )

    async def answers(conversation: Conversation) -> None:
        conversation.json(body.encode())

    async with world(tmp_path, upstream=Upstream(answers)) as it, it.client() as alice:
        answer = (await say(alice)).body.decode()
        kept, _, state = answer.partition('"requestState":')
        assert kept == body.partition('"requestState":')[0]
        assert state.endswith('"}}') and "raw" not in state


async def test_a_later_round_of_an_approved_call_is_the_same_call(tmp_path: Path) -> None:
    async with asking(tmp_path, upstream=asks()) as (it, people, alice):
        await say(alice, "approved_only")
        people.answer("approved")
        sent = await _until_asked(alice)
        answer = await say(alice, "approved_only", requestState=sent, inputResponses=ANSWERED)
        assert answer.json["result"]["content"][0]["text"] == "done"
        assert len(people.cases) == 1
        # And its state is spent: the same again waits for a person, or for room.
        again = await say(alice, "approved_only", requestState=sent, inputResponses=ANSWERED)
        assert "policylayer/decision" in again.json["result"]["_meta"]
        assert len(it.upstream.received) == 2


async def _until_asked(alice: Client) -> str:
    import asyncio

    for _ in range(2_000):
        result = (await say(alice, "approved_only")).json["result"]
        if result["resultType"] == "input_required":
            state: str = result["requestState"]
            return state
        await asyncio.sleep(0.02)
    raise AssertionError("it still waits")
