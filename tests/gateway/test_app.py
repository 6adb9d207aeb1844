"""One call from a raw client through the gateway to a recording server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.logs import _Lines
from tests.gateway.limiters import Broken
from tests.gateway.raw_http import Conversation, Upstream
from tests.gateway.world import MALLORYS_SERVER, eventually, quick, world

META = "policylayer/decision"


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def test_an_allowed_call_reaches_the_server_and_its_answer_comes_back(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.call("read_file", {"path": "/home/a"})
        assert answer.json["result"] == {"content": [{"type": "text", "text": "done"}]}
        assert len(it.upstream.received) == 1
        [decision] = it.log.decisions
        assert (decision.outcome, decision.tool, decision.rule) == ("allow", "read_file", "/tools/read_file")
        assert (decision.method, decision.argument_names, decision.revision) == ("tools/call", ("path",), 7)
        [completion] = it.log.completions
        assert (completion.id, completion.upstream_status, completion.upstream_code) == (
            decision.id,
            200,
            None,
        )
        assert 0 < decision.added_us <= completion.total_us


async def test_what_is_sent_on_is_our_own_writing_of_what_was_judged(tmp_path: Path) -> None:
    body = (
        b' {"jsonrpc" : "2.0", "id": 1, "method":"tools\\/call","params":{"name":"read_f\\u0069le",'
        b'"arguments":{"z":-0,"a":1.50,"big":12345678901234567890,"s":"\\u00e9"}, "unknown": [1E5] } }\n'
    )
    async with world(tmp_path) as it, it.client() as alice:
        await alice.post(body, cookie="a=b", x_forwarded_for="10.0.0.1", x_api_key="k")
        [sent] = it.upstream.received
        assert sent.body.decode() == (
            '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file",'
            '"arguments":{"z":-0,"a":1.50,"big":12345678901234567890,"s":"é"},"unknown":[1E5]}}'
        )
        assert not {"authorization", "cookie", "x-forwarded-for", "x-api-key"} & set(sent.headers)
        assert sent.headers["host"] == f"127.0.0.1:{it.upstream.port}"
        assert sent.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "text"),
    [
        ("delete_file", {}, "denied", "[POLICY DENIED] Nothing is deleted here."),
        ("hidden_tool", {}, "not_available", "[POLICY DENIED] No tool named hidden_tool is available here."),
        ("unknown", {}, "not_available", "[POLICY DENIED] No tool named unknown is available here."),
        ("read_file", {"path": "/etc/passwd"}, "denied", "[POLICY DENIED] Not from /etc."),
        ("read_file", [], "malformed", "[POLICY DENIED] The arguments must be a JSON object."),
        ("approved_only", {}, "approval_unavailable", None),
    ],
)
async def test_a_denied_call_never_reaches_the_server_and_says_why(
    tmp_path: Path, tool: str, arguments: Any, code: str, text: str | None
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.call(tool, arguments, id="my id")
        assert answer.status == 200
        assert (answer.json["id"], answer.json["result"]["isError"]) == ("my id", True)
        assert set(answer.json["result"]) == {"content", "isError", "_meta"}
        told = answer.json["result"]["_meta"][META]
        assert told == {"code": code, "decision_id": it.log.decisions[0].id}
        if text is not None:
            assert answer.json["result"]["content"] == [{"type": "text", "text": text}]
        assert not it.upstream.received
        assert not it.log.completions


async def test_hidden_default_denied_and_unlisted_are_answered_alike(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answers = []
        for tool in ("hidden_tool", "some_tool__"):
            answer = await alice.call(tool, {})
            decision = answer.json["result"]["_meta"][META]["decision_id"]
            answers.append(answer.body.replace(decision.encode(), b"ID").replace(tool.encode(), b"TOOL"))
        assert answers[0] == answers[1]
        assert [entry.code for entry in it.log.decisions] == ["hidden", "default_deny"]


async def test_the_call_over_the_limit_is_denied_with_its_retry_after(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for _ in range(2):
            assert "isError" not in (await alice.call("create_access_key", {})).json["result"]
        answer = await alice.call("create_access_key", {})
        told = answer.json["result"]["_meta"][META]
        assert told["code"] == "limit_exceeded"
        assert 1 <= told["retry_after_seconds"] <= 60
        assert "rule" not in told and "limit" not in told
        assert len(it.upstream.received) == 2
        record = it.log.decisions[-1]
        assert (record.code, record.limit, record.remaining_micros) == ("limit_exceeded", 2, 0)
        assert it.log.decisions[0].limit is None


async def test_a_denial_explains_itself_where_the_organization_wants_it(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(explain=True)
        for _ in range(3):
            answer = await alice.call("create_access_key", {})
        told = answer.json["result"]["_meta"][META]
        assert (told["rule"], told["limit"]) == ("/tools/create_access_key/limits/0", 2)
        assert told["remaining"] == 0
        assert "limited to 2 calls per minute" in answer.json["result"]["content"][0]["text"]
        hidden = await alice.call("hidden_tool", {})
        assert "rule" not in hidden.json["result"]["_meta"][META]


async def test_an_amount_over_its_limit_is_told_what_is_left_of_it(tmp_path: Path) -> None:
    limit = {"counter": "c", "window": "day", "max": 500, "scope": "grant", "increment_from": "args.amount"}
    document = {"version": "1", "default": "deny", "tools": {"search": {"limits": [limit]}}}
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(explain=True, document=json.dumps(document))
        await alice.call("search", {"amount": 479.5})
        answer = (await alice.call("search", {"amount": 21})).json["result"]
        assert (answer["_meta"][META]["limit"], answer["_meta"][META]["remaining"]) == (500, 20.5)
        assert "args.amount of search adds up to at most 500 per day;" in answer["content"][0]["text"]
        it.reconfigure(document=json.dumps(document))
        silent = (await alice.call("search", {"amount": 21})).json["result"]["_meta"][META]
        assert not {"rule", "limit", "remaining"} & silent.keys()


async def test_what_a_call_that_needs_approval_held_is_given_back(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        codes = [
            (await alice.call("approved_only", {})).json["result"]["_meta"][META]["code"] for _ in range(3)
        ]
        assert codes == ["approval_unavailable"] * 3
        assert not it.upstream.received


async def test_a_call_that_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.log.full = True
        for _ in range(5):
            answer = await alice.call("create_access_key", {})
            assert answer.json["result"]["_meta"][META]["code"] == "record_unavailable"
        assert not it.upstream.received
        it.log.full = False
        assert "isError" not in (await alice.call("create_access_key", {})).json["result"]


async def test_a_grant_without_a_policy_calls_nothing_and_sees_no_tool(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(list_tools)) as it, it.client() as alice:
        it.reconfigure(document=None)
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["_meta"][META]["code"] == "no_policy"
        assert (await alice.post(request("tools/list"))).json["result"]["tools"] == []


async def test_a_configuration_past_its_lease_denies_and_passes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(lease=-1)
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["_meta"][META]["code"] == "configuration_expired"
        answer = await alice.post(request("tools/list"))
        assert answer.json["error"]["data"]["code"] == "configuration_expired"
        assert not it.upstream.received


async def test_a_lease_that_ends_between_two_calls_ends_the_second(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert "isError" not in (await alice.call("read_file", {})).json["result"]
        it.config.organizations[0].lease.until = 0
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["_meta"][META]["code"] == "configuration_expired"
        assert len(it.upstream.received) == 1


async def test_the_record_of_each_call_is_of_that_call(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for arguments in ({"path": "/a"}, {"path": "/etc/b"}, {"path": "/c", "lines": 3}):
            await alice.call("read_file", arguments)
        await alice.call("search", {})
        it.reconfigure(policy=MALLORYS_SERVER, grants={it.token: {"id": MALLORYS_SERVER}})
        await alice.call("read_file", {"path": "/a"})
        first, denied, other, searched, later = it.log.decisions
        assert [entry.tool for entry in it.log.decisions] == [*["read_file"] * 3, "search", "read_file"]
        assert (first.outcome, denied.outcome, denied.reason) == ("allow", "deny", "Not from /etc.")
        assert first.rule == other.rule == later.rule == "/tools/read_file" != searched.rule
        assert (other.argument_names, other.reason) == (("path", "lines"), None)
        assert len({first.argument_digest, denied.argument_digest, other.argument_digest}) == 3
        assert (first.grant, first.policy, first.revision) == (searched.grant, searched.policy, 7)
        assert (later.grant, later.policy, later.revision) == (MALLORYS_SERVER, MALLORYS_SERVER, 8)


async def list_tools(conversation: Conversation) -> None:
    names = ["search", "hidden_tool", "read_file", "new_tool", "delete_file", "create_access_key"]
    tools = [{"name": name, "inputSchema": {"type": "object", "x": 1.5}} for name in names]
    if conversation.request.json["params"].get("cursor") == "stream":
        conversation.begin_stream()
        conversation.message({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
        conversation.end_stream()
    else:
        conversation.result({"tools": tools, "nextCursor": "stream", "x": {"y": 1}})


async def test_the_tool_list_holds_what_may_be_called_on_every_page(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(list_tools)) as it, it.client() as alice:
        first = (await alice.post(request("tools/list"))).json["result"]
        assert [tool["name"] for tool in first["tools"]] == [
            "search",
            "read_file",
            "delete_file",
            "create_access_key",
        ]
        assert (first["nextCursor"], first["x"]) == ("stream", {"y": 1})
        second = await alice.post(request("tools/list", cursor="stream"))
        assert [tool["name"] for tool in json.loads(second.events[0])["result"]["tools"]] == [
            "search",
            "read_file",
            "delete_file",
            "create_access_key",
        ]


@pytest.mark.parametrize(
    ("method", "params", "sent"),
    [
        ("resources/read", {"uri": "file:///public/a"}, True),
        ("resources/read", {"uri": "file:///etc/passwd"}, False),
        ("resources/read", {"uri": "file:///public/../etc"}, False),
        ("resources/subscribe", {"uri": "file:///etc/passwd"}, False),
        ("prompts/get", {"name": "greet"}, True),
        ("prompts/get", {"name": "secret_prompt"}, False),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {}}, True),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "secret_prompt"}}, False),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "file:///x"}}, False),
        ("resources/list", {}, True),
        ("prompts/list", {}, True),
    ],
)
async def test_resources_and_prompts_are_judged(
    tmp_path: Path, method: str, params: dict[str, Any], sent: bool
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(request(method, **params))
        assert len(it.upstream.received) == sent
        if not sent:
            assert answer.status == 200
            error = answer.json["error"]
            assert error["code"] == -32602
            assert error["message"].startswith("[POLICY DENIED] ")
            assert error["data"]["decision_id"] == it.log.decisions[0].id


async def test_who_shares_no_revision_with_the_server_is_told_which_would_do(tmp_path: Path) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    said = {"mcp_protocol_version": "2026-07-28", "mcp_method": "server/discover"}
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(revisions=("2025-06-18",))
        answer = await alice.post(request("server/discover", _meta=meta), **said)
        assert (answer.status, answer.json["id"], answer.json["error"]["code"]) == (400, 1, -32022)
        assert answer.json["error"]["data"] == {"supported": ["2025-06-18"], "requested": "2026-07-28"}
        assert it.upstream.received == []
        await alice.post(request("initialize", protocolVersion="2025-11-25"))
        assert len(it.upstream.received) == 1


@pytest.mark.parametrize(("uris", "sent"), [(["public/a"], True), (["public/a", "x"], False)])
async def test_a_subscription_needs_every_resource_allowed(
    tmp_path: Path, uris: list[str], sent: bool
) -> None:
    wanted = {"resourceSubscriptions": [f"file:///{uri}" for uri in uris]}
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    asked = request("subscriptions/listen", notifications=wanted, _meta=meta)
    said = {"mcp_protocol_version": "2026-07-28", "mcp_method": "subscriptions/listen"}
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(asked, **said)
        assert len(it.upstream.received) == sent
        assert ("error" in answer.json) is not sent


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": 1}),
        ("tools/call", {"name": None}),
        ("resources/read", {}),
        ("resources/read", {"uri": ["file:///public/a"]}),
        ("prompts/get", {}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": {"type": "ref/other", "name": "a"}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": "file:///public/a"}}),
        ("subscriptions/listen", {"notifications": []}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [1]}}),
        ("tasks/result", {"taskId": "1"}),
        ("tools/delete", {}),
        ("Tools/call", {"name": "read_file"}),
        ("sampling/createMessage", {}),
        ("notifications/initialized", {}),
    ],
)
async def test_what_cannot_be_judged_is_refused(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(request(method, **params))
        assert answer.json["error"]["code"] in (-32601, -32602)
        assert answer.json["id"] == 1
        assert not it.upstream.received


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "read_file"}},
        {"jsonrpc": "2.0", "method": "notifications/unknown"},
        {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {}},
    ],
)
async def test_a_notification_that_is_none_is_refused(tmp_path: Path, message: dict[str, Any]) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        assert (await alice.post(message)).status == 400
        assert not it.upstream.received


async def test_notifications_and_answers_of_the_client_pass(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        for message in (
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        ):
            answer = await alice.post(message)
            assert (answer.status, answer.body) == (202, b"")
        answered = {"jsonrpc": "2.0", "id": "s1", "result": {"roots": []}}
        assert (await alice.post(answered)).status == 200
        assert it.upstream.received[-1].json == answered


@pytest.mark.parametrize(
    "body",
    [
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}]',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","Name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"delete_file"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/call","params":{}}',
        b'{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"read_file"}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 70 + b"1" + b"}" * 71,
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[' + b"1," * 10_001 + b"1]}}",
        b"",
        b"GET / HTTP/1.1",
    ],
)
async def test_a_malformed_body_is_refused_with_nothing_forwarded(tmp_path: Path, body: bytes) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(body)
        assert answer.status == 400
        assert answer.json["error"]["code"] in (-32700, -32600)
        assert not it.upstream.received
        assert (await alice.call("read_file", {})).status == 200


async def test_a_gateway_without_a_configuration_says_so_before_any_token(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client(token="junk") as stranger:
        it.config.ready = False
        answer = await stranger.call("read_file", {})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_failure_of_ours_denies_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    async with world(tmp_path) as it, it.client() as alice:
        monkeypatch.setattr("gateway.pipeline.decide_tool", broken)
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["_meta"][META]["code"] == "internal_error"
        assert b"secret" not in answer.body
        assert [entry.code for entry in it.log.decisions] == ["internal_error"]
        assert not it.upstream.received


async def test_a_failure_of_ours_after_a_call_was_sent_does_not_say_that_it_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    async with world(tmp_path) as it, it.client() as alice:
        monkeypatch.setattr("gateway.relay.check_answer", broken)
        answer = await alice.call("read_file", {})
        [content] = answer.json["result"]["content"]
        told = "[UPSTREAM ERROR] The gateway failed on this call and may have sent it on already."
        assert (content["text"], len(it.upstream.received)) == (told, 1)
        assert answer.json["result"]["_meta"][META]["code"] == "internal_error"
        await eventually(lambda: [entry.upstream_code for entry in it.log.completions] == ["internal_error"])
        assert [entry.outcome for entry in it.log.decisions] == ["allow"]
    [line] = [_Lines().format(record) for record in caplog.records if record.name == "gateway.driver"]
    assert __file__ in json.loads(line)["place"]
    assert "secret" not in line


async def test_a_limiter_that_fails_denies_only_limited_calls(tmp_path: Path) -> None:
    async with world(tmp_path, limiter=Broken()) as it, it.client() as alice:
        answer = await alice.call("create_access_key", {})
        assert answer.json["result"]["_meta"][META]["code"] == "limiter_unavailable"
        assert not it.upstream.received
        assert "isError" not in (await alice.call("read_file", {})).json["result"]


@pytest.mark.parametrize(
    "said", ['"name": "read_file"', '"name": "delete_file"', '"name": "read_file", "name": 1']
)
async def test_requests_sent_in_one_piece_need_one_place_between_them(tmp_path: Path, said: str) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {%b}}' % said.encode()
    async with world(tmp_path, limits=quick(requests_per_grant=1)) as it, it.client() as alice:
        alice.send((alice.head("POST", len(body), {}) + body) * 5)
        statuses = [(await alice.answer()).status for _ in range(5)]
        assert statuses in ([200] * 5, [400] * 5)


async def test_a_grant_has_only_so_many_requests_open(tmp_path: Path) -> None:
    async def hang(conversation: Conversation) -> None:
        await asyncio.sleep(1)
        await conversation_ok(conversation)

    limits = quick(requests_per_grant=1)
    async with (
        world(tmp_path, upstream=Upstream(hang), limits=limits) as it,
        it.client() as one,
        it.client() as other,
        it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory,
    ):
        first = asyncio.create_task(one.call("read_file", {}))
        await eventually(lambda: len(it.upstream.received) == 1)
        assert (await other.call("read_file", {})).status == 429
        assert (await mallory.call("read_file", {})).status == 200
        assert (await first).status == 200


async def conversation_ok(conversation: Conversation) -> None:
    conversation.result({"content": []})


MODERN = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call"}


def modern_call(tool: str) -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    return request("tools/call", name=tool, arguments={}, _meta=meta)


async def test_a_modern_call_is_answered_in_the_modern_shape(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(modern_call("delete_file"), mcp_name="delete_file", **MODERN)
        assert answer.json["result"]["resultType"] == "complete"
        await alice.post(modern_call("read_file"), mcp_name="read_file", mcp_param_x="y", **MODERN)
        [sent] = it.upstream.received
        assert (sent.headers["mcp-name"], sent.headers["mcp-method"]) == ("read_file", "tools/call")
        assert (sent.headers["mcp-protocol-version"], sent.headers["mcp-param-x"]) == ("2026-07-28", "y")


@pytest.mark.parametrize("name", ["read_file", "=?base64?cmVhZF9maWxl?=", None])
async def test_a_modern_call_whose_headers_name_another_tool_is_refused(
    tmp_path: Path, name: str | None
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        answer = await alice.post(modern_call("delete_file"), mcp_name=name, **MODERN)
        assert (answer.status, answer.json["error"]["code"]) == (400, -32020)
        assert not it.upstream.received


async def test_an_unknown_modern_method_is_404_and_a_legacy_one_is_not(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        unknown = request("tools/delete", _meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"})
        answer = await alice.post(unknown, mcp_protocol_version="2026-07-28", mcp_method="tools/delete")
        assert (answer.status, answer.json["error"]["code"]) == (404, -32601)
        answer = await alice.post(request("tools/delete"))
        assert (answer.status, answer.json["error"]["code"]) == (200, -32601)
        assert not it.upstream.received


async def test_the_record_holds_the_values_that_are_kept_and_no_other(tmp_path: Path) -> None:
    async with world(tmp_path, kept=("args.path",)) as it, it.client() as alice:
        await alice.call("read_file", {"path": "/home/a", "secret": "hush"})
        [decision] = it.log.decisions
        assert [(each.path, each.state, each.json) for each in decision.kept] == [
            ("args.path", "value", '"/home/a"')
        ]
        assert "hush" not in repr(decision)
