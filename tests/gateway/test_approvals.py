"""A call that waits for a person, from the agent's request to the server and back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.approvals_client import ApprovalsClient
from gateway.counters.base import Charge, Full, Reservation, Reserved
from gateway.used_approvals import UsedApprovals
from gateway_config.wire.approvals import ApprovalNews, NewsAnswer
from tests.gateway.people import People
from tests.gateway.raw_http import Answer, Client
from tests.gateway.world import ACME, DOCUMENT, World, eventually, quick, world

META = "policylayer/decision"
TOOL = "approved_only"
ELICITS = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}, "url": {}}},
}


@asynccontextmanager
async def asking(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[World, People, Client]]:
    people = People()
    async with world(tmp_path, people=people, **options) as it, it.client() as alice:
        yield it, people, alice


def told(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.json["result"]["_meta"][META]
    return found


async def room(it: World) -> Reservation:
    """Try to reserve the limit's one unit; return the outcome. A unit taken for this is given back."""
    charge = Charge(
        ACME, "grant", it.config.organizations[0].grants[_hash(it)].id, "held", None, 60_000, 1, 10**6
    )
    reserved = await it.limiter.reserve("look", [charge])
    await it.limiter.give_back("look")
    return reserved


def _hash(it: World) -> bytes:
    return next(iter(it.config.organizations[0].grants))


async def test_a_waiting_call_says_how_to_go_on_and_is_not_sent(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        answer = await alice.call(TOOL, {"to": "Bob"})
        case = people.cases[0]
        assert answer.status == 200
        assert answer.json["result"]["isError"]
        text = answer.json["result"]["content"][0]["text"]
        assert text.startswith("[APPROVAL REQUIRED] approved_only needs a person's approval.")
        assert "Repeat the identical call once it is approved." in text
        assert told(answer) == {
            "code": "approval_required",
            "decision_id": it.log.decisions[0].id,
            "approval_id": case.id,
            "approval_url": case.url,
        }
        assert it.upstream.received == []
        [entry] = it.log.decisions
        assert (entry.outcome, entry.code, entry.approval) == ("approval", "approval_required", case.id)
        assert entry.rule == "/tools/approved_only/action"
        assert case.asked.arguments_json == '{"to":"Bob"}'
        assert isinstance(await room(it), Full)


async def test_the_identical_call_goes_through_once_it_is_approved_and_only_once(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        first = await alice.call(TOOL, {"to": "Bob", "amount": 5})
        people.answer("approved")
        sent = await _until_sent(alice, {"amount": 5.0, "to": "Bob"})
        assert sent.json["result"]["content"][0]["text"] == "done"
        assert len(it.upstream.received) == 1
        allowed = it.log.decisions[-1]
        assert (allowed.outcome, allowed.approval) == ("allow", told(first)["approval_id"])
        assert isinstance(await room(it), Full)
        # Its unit counts from when it was sent, so the third call needs room before it may ask again.
        assert told(await alice.call(TOOL, {"to": "Bob", "amount": 5}))["code"] == "limit_exceeded"
        assert len(it.upstream.received) == 1


async def _until_sent(alice: Client, arguments: Any) -> Answer:
    """Repeat a call until it is sent: it waits until this worker has heard the news of the answer."""
    async with asyncio.timeout(60):
        while True:
            answer = await alice.call(TOOL, arguments)
            if "_meta" not in answer.json["result"] or told(answer)["code"] != "approval_required":
                return answer
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "other",
    [{"to": "Mallory"}, {"to": "Bob", "also": 1}, {}, None, {"to": ["Bob"]}, {"To": "Bob"}],
)
async def test_an_approval_is_for_no_other_arguments(tmp_path: Path, other: Any) -> None:
    unlimited = DOCUMENT.replace('"max": 1,', '"max": 9,')
    async with asking(tmp_path) as (it, people, alice):
        it.reconfigure(document=unlimited)
        await alice.call(TOOL, {"to": "Bob"})
        people.answer("approved")
        assert told(await alice.call(TOOL, other))["code"] == "approval_required"
        assert it.upstream.received == []
        assert len(people.cases) == 2


async def test_fifty_at_once_after_one_approval_are_one_call(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("approved")
        await eventually(lambda: not people.news or people.news[-1].state == "approved")

        async def again() -> Answer:
            async with it.client() as another:
                return await another.call(TOOL, {})

        await asyncio.gather(*(again() for _ in range(50)))
        await _until_sent(alice, {})
        assert len(it.upstream.received) == 1


async def test_a_declined_call_is_told_so_and_gives_its_unit_back(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("declined")
        answer = await _until_sent(alice, {})
        assert told(answer)["code"] == "approval_declined"
        assert answer.json["result"]["content"][0]["text"] == "[POLICY DENIED] A person declined this call."
        await _until_free(it)
        assert told(await alice.call(TOOL, {}))["code"] == "approval_declined"
        assert it.upstream.received == []


async def _until_free(it: World) -> None:
    async with asyncio.timeout(60):
        while await room(it) != Reserved():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_expired_one_is_told_once_and_the_next_asks_anew(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("expired")
        assert told(await _until_sent(alice, {}))["code"] == "approval_expired"
        await _until_free(it)
        assert told(await alice.call(TOOL, {}))["code"] == "approval_required"
        assert len(people.cases) == 2
        assert it.upstream.received == []


async def test_an_approval_under_other_rules_is_none(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("approved")
        it.reconfigure(
            document=DOCUMENT.replace('"require_approval",', '"require_approval", "reason": "New.",')
        )
        answer = await alice.call(TOOL, {})
        assert told(answer)["code"] in ("approval_required", "limit_exceeded")
        assert people.cases[0].state == "superseded"
        assert it.upstream.received == []


async def test_with_the_control_plane_away_it_is_denied_and_nothing_stays_reserved(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        people.away = True
        answer = await alice.call(TOOL, {})
        assert told(answer)["code"] == "approval_unavailable"
        assert await room(it) == Reserved()
        people.away = False
        assert told(await alice.call(TOOL, {}))["code"] == "approval_required"


async def test_an_approved_call_whose_server_refuses_connections_may_be_sent_again(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("approved")
        port = it.upstream.port
        it.reconfigure(url="http://127.0.0.1:9/mcp")
        failed = await _until_sent(alice, {})
        assert told(failed)["code"] == "upstream_unreachable"
        await eventually(lambda: bool(people.unused))
        it.reconfigure(url=f"http://127.0.0.1:{port}/mcp")
        sent = await _until_sent(alice, {})
        assert sent.json["result"]["content"][0]["text"] == "done"
        assert len(it.upstream.received) == 1


async def test_an_approved_call_that_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        await alice.call(TOOL, {})
        people.answer("approved")
        await eventually(lambda: people.news[-1].state == "approved")
        it.log.full = True
        for _ in range(60):
            answer = await alice.call(TOOL, {})
            if told(answer)["code"] == "record_unavailable":
                break
            await asyncio.sleep(0.02)
        assert told(answer)["code"] == "record_unavailable"
        await eventually(lambda: bool(people.unused))
        it.log.full = False
        assert (await _until_sent(alice, {})).json["result"]["content"][0]["text"] == "done"
        assert len(it.upstream.received) == 1


async def test_an_agent_that_repeats_all_the_time_asks_us_and_not_the_control_plane(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, people, alice):
        for _ in range(20):
            assert told(await alice.call(TOOL, {}))["code"] == "approval_required"
        assert len(people.claims) <= 3
        assert len(people.cases) == 1


async def test_another_grants_identical_call_asks_for_itself(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        from common.tokens import GRANT, new_token

        bobs = new_token(GRANT)
        it.reconfigure(grants={it.token: {}, bobs: {}})
        await alice.call(TOOL, {})
        people.answer("approved")
        async with it.client(token=bobs) as bob:
            assert told(await bob.call(TOOL, {}))["code"] == "approval_required"
        assert len(people.cases) == 2
        assert it.upstream.received == []


# Held open


async def test_a_call_held_open_is_answered_when_the_person_answers(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=10, limits=quick()) as (it, people, alice):
        waiting = asyncio.create_task(alice.call(TOOL, {}))
        await eventually(lambda: bool(people.cases))
        people.answer("approved")
        answer = await waiting
        assert answer.json["result"]["content"][0]["text"] == "done"
        assert [entry.outcome for entry in it.log.decisions] == ["allow"]


async def test_the_time_a_person_took_is_not_among_what_the_gateway_added(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=300, limits=quick()) as (it, people, alice):
        began = time.monotonic()
        waiting = asyncio.create_task(alice.call(TOOL, {}))
        await eventually(lambda: bool(people.cases))
        # Wait several times as long as asking took.
        await asyncio.sleep(0.3 + 4 * (time.monotonic() - began))
        people.answer("approved")
        await waiting
        await eventually(lambda: len(it.log.completions) == 1)
        [decision], [completion] = it.log.decisions, it.log.completions
        assert 0 < decision.added_us < completion.total_us / 2


async def test_a_call_held_open_learns_of_an_answer_given_before_it_listened(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=300, limits=quick()) as (it, people, alice):

        async def is_answered() -> None:
            people.answer("approved")
            await eventually(lambda: people.heard == 1)

        people.meanwhile_asked = is_answered
        answer = await asyncio.wait_for(alice.call(TOOL, {}), 60)
        assert answer.json["result"]["content"][0]["text"] == "done"
        assert [entry.outcome for entry in it.log.decisions] == ["allow"]


async def test_a_call_held_open_in_vain_is_told_to_come_again(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=0.1) as (it, _, alice):
        assert told(await alice.call(TOOL, {}))["code"] == "approval_required"
        assert it.upstream.received == []


def with_progress(**params: Any) -> dict[str, Any]:
    meta = {"progressToken": "p1"}
    return {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": TOOL, "_meta": meta} | params,
    }


@pytest.mark.parametrize("state", ["approved", "declined", None])
async def test_a_client_that_asked_for_progress_hears_it_while_it_waits(
    tmp_path: Path, state: str | None
) -> None:
    async with asking(tmp_path, hold_open_seconds=0.5) as (_, people, alice):
        waiting = asyncio.create_task(alice.post(with_progress()))
        await eventually(lambda: bool(people.cases))
        if state is not None:
            people.answer(state)
        answer = await waiting
        assert answer.headers["content-type"] == "text/event-stream"
        first, last = (json.loads(event) for event in answer.events)
        assert first["method"] == "notifications/progress"
        assert first["params"]["progressToken"] == "p1"
        assert last["id"] == 7
        code = last["result"].get("_meta", {}).get(META, {}).get("code")
        assert code == {"approved": None, "declined": "approval_declined", None: "approval_required"}[state]


async def test_a_call_whose_client_left_is_not_sent_when_it_is_approved(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=300) as (it, people, alice):
        async with it.client() as leaving:
            body = json.dumps(with_progress()).encode()
            leaving.send(leaving.head("POST", len(body), {}) + body)
            await eventually(lambda: bool(people.cases))
        await eventually(lambda: it.http.running == 0)
        people.answer("approved")
        assert it.upstream.received == []
        assert (await _until_sent(alice, None)).json["result"]["content"][0]["text"] == "done"


async def test_a_call_held_open_is_not_sent_by_rules_that_hold_no_more(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=10) as (it, people, alice):
        waiting = asyncio.create_task(alice.call(TOOL, {}))
        await eventually(lambda: bool(people.cases))
        it.reconfigure(document=DOCUMENT.replace('"require_approval"', '"deny"'))
        people.answer("approved")
        assert told(await waiting)["code"] == "approval_required"
        assert told(await alice.call(TOOL, {}))["code"] == "denied"
        assert it.upstream.received == []


async def test_a_call_held_open_ends_with_its_grant(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=10) as (it, people, alice):
        waiting = asyncio.create_task(alice.post(with_progress()))
        await eventually(lambda: bool(people.cases))
        it.reconfigure(grants={})
        await asyncio.wait_for(waiting, 60)
        people.answer("approved")
        assert it.upstream.received == []


async def test_a_call_held_open_by_a_worker_that_stops_is_told_to_come_again(tmp_path: Path) -> None:
    async with asking(tmp_path, hold_open_seconds=300) as (it, people, alice):
        waiting = asyncio.create_task(alice.call(TOOL, {}))
        await eventually(lambda: bool(people.cases))
        await it.http.close()
        assert told(await waiting)["code"] == "approval_required"
        assert it.upstream.received == []


# 2026-07-28: the client opens the page


def modern(tool: str = TOOL, meta: Any = ELICITS, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": {"to": "Bob"}, "_meta": meta} | params,
    }
    return message, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}


async def test_a_client_that_can_open_pages_is_sent_to_the_approval(tmp_path: Path) -> None:
    async with asking(tmp_path) as (it, people, alice):
        message, headers = modern()
        result = (await alice.post(message, **headers)).json["result"]
        assert result["resultType"] == "input_required"
        [(key, asked)] = result["inputRequests"].items()
        assert asked["method"] == "elicitation/create"
        assert (asked["params"]["mode"], asked["params"]["url"]) == ("url", people.cases[0].url)
        assert people.cases[0].asked.elicitation
        responses = {key: {"action": "accept"}}
        again, headers = modern(requestState=result["requestState"], inputResponses=responses)
        waits = (await alice.post(again, **headers)).json["result"]
        assert waits["resultType"] == "complete"
        assert waits["_meta"][META]["code"] == "approval_required"
        people.answer("approved")
        for _ in range(2_000):
            answer = await alice.post(again, **headers)
            if "_meta" not in answer.json["result"]:
                break
            await asyncio.sleep(0.02)
        [received] = it.upstream.received
        assert "requestState" not in received.json["params"]
        assert "inputResponses" not in received.json["params"]


@pytest.mark.parametrize(
    "able", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}, {"elicitation": {"url": None}}, None]
)
async def test_a_client_that_cannot_is_told_to_repeat(tmp_path: Path, able: Any) -> None:
    async with asking(tmp_path) as (_, _people, alice):
        meta = ELICITS | {"io.modelcontextprotocol/clientCapabilities": able}
        message, headers = modern(meta=meta)
        result = (await alice.post(message, **headers)).json["result"]
        assert result["resultType"] == "complete"
        assert result["_meta"][META]["code"] == "approval_required"


class Repeating:
    """A control plane whose cursor never advances, and which answers at once instead of waiting for news."""

    def __init__(self) -> None:
        self.asked = 0

    async def approval_news(self, after: int, wait: int) -> NewsAnswer:
        self.asked += 1
        one = ApprovalNews(id="apr_1", organization=ACME, reserved_by="call", state="pending")
        return NewsAnswer(cursor=after, news=(one,))


async def test_news_that_are_told_again_and_again_are_not_asked_for_without_a_rest() -> None:
    control = Repeating()
    client = ApprovalsClient(cast(Any, control), cast(Any, None), UsedApprovals(), answer_seconds=1)
    following = asyncio.create_task(client.run())
    for _ in range(50):
        await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert control.asked == 1
