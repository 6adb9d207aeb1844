"""Lists of resources, templates and prompts show what the policy lets the client have, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.raw_http import Answer, Client, Conversation, Upstream
from tests.gateway.test_app import request
from tests.gateway.test_hidden_names import framed
from tests.gateway.world import quick, world

LISTED: dict[str, dict[str, Any]] = {
    "resources/list": {
        "resources": [
            {"uri": "file:///public/a", "name": "A", "size": 1.50},
            {"uri": "file:///etc/passwd", "name": "hidden"},
            {"uri": "file:///public/../etc/passwd", "name": "hidden"},
            {"uri": "file:///public/b", "URI": "file:///etc/passwd", "name": "hidden"},
            {"uri": 7, "name": "hidden"},
            "hidden",
            {"uri": "file:///public/c", "name": "C"},
        ]
    },
    "resources/templates/list": {
        "resourceTemplates": [
            {"uriTemplate": "file:///public/{name}", "name": "A"},
            {"uriTemplate": "file:///etc/{name}", "name": "hidden"},
            {"uriTemplate": "{+anything}", "name": "hidden"},
        ]
    },
    "prompts/list": {"prompts": [{"name": "greet"}, {"name": "secret_prompt", "title": "hidden"}]},
}
SHOWN = {
    "resources/list": ["A", "C"],
    "resources/templates/list": ["A"],
    "prompts/list": ["greet"],
}
META = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}


async def lists(conversation: Conversation) -> None:
    asked = conversation.request.json
    result = LISTED[asked["method"]] | {"cacheScope": "public", "nextCursor": "more", "kept": {"n": 1.50}}
    if asked["params"].get("cursor") == "more":
        conversation.begin_stream()
        conversation.message({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        conversation.end_stream()
    else:
        conversation.result(result)


def names(result: dict[str, Any]) -> list[str]:
    (listed,) = [value for value in result.values() if isinstance(value, list)]
    return [one["name"] for one in listed]


def in_either_form(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(answer.events[0]) if answer.events else answer.json
    result: dict[str, Any] = message["result"]
    return result


async def listing(client: Client, method: str, *, modern: bool = False, **params: Any) -> Answer:
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} if modern else {}
    return await client.post(request(method, **params, **(META if modern else {})), **headers)


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("method", SHOWN)
async def test_every_page_shows_what_the_policy_allows_and_nothing_else(
    tmp_path: Path, method: str, modern: bool
) -> None:
    async with world(tmp_path, upstream=Upstream(lists)) as it, it.client() as alice:
        for page in ({}, {"cursor": "more"}):
            answer = await listing(alice, method, modern=modern, **page)
            result = in_either_form(answer)
            assert names(result) == SHOWN[method]
            assert b"hidden" not in answer.body
            assert (result["cacheScope"], result["nextCursor"]) == ("private", "more")
            assert b'"n":1.5' in answer.body.replace(b" ", b"")


@pytest.mark.parametrize("method", SHOWN)
async def test_without_a_policy_or_by_a_denying_default_nothing_is_shown(tmp_path: Path, method: str) -> None:
    async with world(tmp_path, upstream=Upstream(lists)) as it, it.client() as alice:
        for document in (None, '{"version": "1", "default": "deny"}'):
            it.reconfigure(document=document)
            assert names(in_either_form(await listing(alice, method))) == []


@pytest.mark.parametrize("method", SHOWN)
async def test_a_policy_that_denies_none_leaves_a_list_as_it_is(tmp_path: Path, method: str) -> None:
    async with world(tmp_path, upstream=Upstream(lists)) as it, it.client() as alice:
        it.reconfigure(document='{"version": "1", "default": "allow"}')
        result = in_either_form(await listing(alice, method))
        assert result["cacheScope"] == "public"
        assert result.items() >= LISTED[method].items()


@pytest.mark.parametrize("key", ["RESOURCES", "re\\u0073ources", "re\u017fources"])
async def test_no_other_spelling_of_the_list_gets_past(tmp_path: Path, key: str) -> None:
    text = '{"jsonrpc": "2.0", "id": 1, "result": {"%s": [{"uri": "file:///etc/a", "name": "hidden"}]}}'

    async def behave(conversation: Conversation) -> None:
        conversation.write(framed((text % key).encode()))

    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice:
        assert b"hidden" not in (await listing(alice, "resources/list")).body


async def test_a_list_too_long_to_look_through_is_not_shown(tmp_path: Path) -> None:
    async def behave(conversation: Conversation) -> None:
        conversation.result({"resources": [{"uri": "file:///etc/a", "name": "hidden", "x": "x" * 300_000}]})

    limits = quick(list_bytes=200_000)
    async with world(tmp_path, upstream=Upstream(behave), limits=limits) as it, it.client() as alice:
        answer = await listing(alice, "resources/list")
        assert answer.json["error"]["data"]["code"] == "upstream_too_large"


async def test_a_list_that_takes_too_long_to_judge_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.things._LONGEST_LIST", 1_000)
    async with world(tmp_path, upstream=Upstream(lists)) as it, it.client() as alice:
        answer = await listing(alice, "resources/list")
        assert answer.json["error"]["data"]["code"] == "upstream_too_large"


async def test_a_list_that_arrives_on_a_standing_stream_is_filtered_too(tmp_path: Path) -> None:
    async def behave(conversation: Conversation) -> None:
        conversation.begin_stream()
        for result in LISTED.values():
            conversation.message({"jsonrpc": "2.0", "id": "earlier", "result": result})
        conversation.end_stream()

    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice:
        alice.send(alice.head("GET", None, {"Accept": "text/event-stream"}))
        answer = await alice.answer()
        assert [names(json.loads(event)["result"]) for event in answer.events] == list(SHOWN.values())


async def test_what_a_tool_answers_is_not_taken_for_a_list(tmp_path: Path) -> None:
    result = {"content": [], "resources": [{"uri": "file:///etc/a"}], "structuredContent": {"prompts": [1]}}

    async def behave(conversation: Conversation) -> None:
        conversation.result(result)

    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).json["result"] == result
