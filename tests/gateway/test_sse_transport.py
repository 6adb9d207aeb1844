"""The 2024-11-05 transport: a client's post is judged and answered on its stream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.old_transport import ALL_TOOLS, OldServer, call, post, posts, stream_of
from tests.gateway.raw_http import Upstream
from tests.gateway.world import SERVER, eventually, quick, world


async def test_the_address_a_client_is_told_is_ours_and_names_neither_worker_nor_server(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        assert stream.address.startswith(f"/mcp/{SERVER}/?stream=v1.")
        assert "session_id" not in stream.address
        assert "gw-1" not in stream.address


async def test_a_call_is_posted_to_the_servers_own_address_and_answered_on_the_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        answer = await post(it, stream, call("read_file", path="/a"))
        assert (answer.status, answer.body) == (202, b"")
        assert (await stream.message())["result"]["content"][0]["text"] == "read_file"
        sent = it.upstream.received[-1]
        assert (sent.method, sent.path) == ("POST", "/messages/?session_id=s1")
        assert sent.json["params"] == {"name": "read_file", "arguments": {"path": "/a"}}
        assert "authorization" not in sent.headers
        await eventually(lambda: bool(it.log.completions))
        assert it.log.decisions[0].outcome == "allow"
        assert (it.log.completions[0].upstream_status, it.log.completions[0].upstream_code) == (202, None)


async def test_a_denied_call_is_told_on_the_stream_and_never_reaches_the_server(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        assert (await post(it, stream, call("delete_file", id="seven"))).status == 202
        denied = await stream.message()
        assert denied["id"] == "seven"
        assert denied["result"]["isError"] is True
        assert denied["result"]["content"][0]["text"] == "[POLICY DENIED] Nothing is deleted here."
        assert posts(it) == []
        assert [entry.outcome for entry in it.log.decisions] == ["deny"]


async def test_a_limit_holds_over_the_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        for number in range(3):
            assert (await post(it, stream, call("create_access_key", id=number))).status == 202
        told = [await stream.message() for _ in range(3)]
        assert [bool(one["result"].get("isError")) for one in told] == [False, False, True]
        assert posts(it) == ["create_access_key"] * 2


async def test_an_unknown_method_is_refused_on_the_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        sent = {"jsonrpc": "2.0", "id": 4, "method": "tools/execute", "params": {}}
        assert (await post(it, stream, sent)).status == 202
        told = await stream.message()
        assert (told["id"], told["error"]["code"]) == (4, -32601)
        assert [request.method for request in it.upstream.received] == ["GET"]


async def test_what_cannot_be_read_in_one_way_is_refused_where_it_was_posted(tmp_path: Path) -> None:
    twice = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","name":"delete_file"}}'
    )
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        for body in (twice, b"[]", b"{", b"\xef\xbb\xbf{}"):
            assert (await post(it, stream, body)).status == 400
        assert [request.method for request in it.upstream.received] == ["GET"]


async def test_the_list_of_tools_on_the_stream_is_filtered_by_the_policy_of_the_moment(
    tmp_path: Path,
) -> None:
    old = OldServer()
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        await post(it, stream, listing)
        names = [tool["name"] for tool in (await stream.message())["result"]["tools"]]
        assert names == ["read_file", "delete_file", "search"]
        it.reconfigure(document='{"version": "1", "default": "deny", "tools": {"search": {}}}')
        await post(it, stream, listing)
        assert [tool["name"] for tool in (await stream.message())["result"]["tools"]] == ["search"]
        # A list that nobody asked for, under an id that nobody used.
        old.say({"jsonrpc": "2.0", "id": 99, "result": {"tools": ALL_TOOLS}})
        assert [tool["name"] for tool in (await stream.message())["result"]["tools"]] == ["search"]


async def test_what_the_server_asks_passes_and_the_clients_answer_reaches_it(tmp_path: Path) -> None:
    old = OldServer()
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        old.say({"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
        assert (await stream.message())["method"] == "roots/list"
        answer = {"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}
        assert (await post(it, stream, answer)).status == 202
        assert it.upstream.received[-1].json == answer


async def test_a_stream_is_of_its_grant_alone(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        sealed = stream.address.partition("?")[2]
        mallory = it.client(token=it.mallorys_token, server="00000000-0000-7000-8000-0000000005e2")
        mallory.path += "?" + sealed
        async with mallory:
            assert (await mallory.post(call("read_file"))).status == 404
        assert (await post(it, stream, call("read_file"), token=it.mallorys_token)).status == 404
        assert posts(it) == []


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text[:-4] + "AAAA", lambda _: "x"])
async def test_an_address_that_was_changed_is_404(tmp_path: Path, change: Any) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        before, _, sealed = stream.address.partition("?stream=")
        stream.address = f"{before}?stream={change(sealed)}"
        assert (await post(it, stream, call("read_file"))).status == 404
        assert posts(it) == []


async def test_a_stream_that_is_over_is_404(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it:
        async with stream_of(it.client()) as stream:
            pass
        # The server may notice first.
        await eventually(lambda: it.upstream.gone == 1 and not it.gateway._streams._held)
        assert (await post(it, stream, call("read_file"))).status == 404
        assert posts(it) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.2/messages",
        "//evil.example/messages",
        "https://127.0.0.1/messages",
        "http://user@127.0.0.1:{port}/messages",
        "http://127.0.0.1:1/messages",
        "file:///etc/passwd",
        "http://127.0.0.1:{port}@evil.example/",
        "/a b",
        "",
        "/" + "a" * 3000,
    ],
)
async def test_an_address_that_is_not_the_servers_own_ends_the_stream(tmp_path: Path, endpoint: str) -> None:
    old = OldServer()
    async with world(tmp_path, upstream=Upstream(old)) as it, it.client() as alice:
        old.endpoint = endpoint.replace("{port}", str(it.upstream.port))
        alice.send(alice.head("GET", None, {}))
        answer = await alice.answer()
        assert answer.status == 200
        assert b"endpoint" not in answer.body
        assert b"evil" not in answer.body


async def test_an_absolute_address_of_the_servers_own_is_used(tmp_path: Path) -> None:
    old = OldServer()
    async with world(tmp_path, upstream=Upstream(old)) as it:
        old.endpoint = f"http://127.0.0.1:{it.upstream.port}/elsewhere?s=2#part"
        async with stream_of(it.client()) as stream:
            assert (await post(it, stream, call("read_file"))).status == 202
            assert it.upstream.received[-1].path == "/elsewhere?s=2"


async def test_a_second_address_on_the_stream_breaks_it_off(tmp_path: Path) -> None:
    old = OldServer()
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        assert old.conversation is not None
        old.conversation.event("event: endpoint\ndata: https://evil.example/\n\n")
        assert await stream.rest() == b""


async def test_revoking_a_grant_ends_its_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        it.reconfigure(grants={})
        assert await stream.rest() == b""
        assert (await post(it, stream, call("read_file"))).status == 401
        await eventually(lambda: it.upstream.gone == 1)


async def test_a_server_that_moved_ends_the_streams_begun_before(tmp_path: Path) -> None:
    async with world(tmp_path, upstream=Upstream(OldServer())) as it, stream_of(it.client()) as stream:
        it.reconfigure(url=it.upstream.url + "/elsewhere")
        assert await stream.rest() == b""
        assert (await post(it, stream, call("read_file"))).status == 404


async def test_a_call_the_server_never_answers_is_told_and_recorded_when_the_stream_breaks(
    tmp_path: Path,
) -> None:
    old = OldServer(silent={"tools/call"})
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        assert (await post(it, stream, call("read_file", id=5))).status == 202
        assert it.log.completions == []
        old.over.set()
        told = await stream.message()
        assert told["id"] == 5
        assert told["result"]["content"][0]["text"].startswith("[UPSTREAM ERROR] ")
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "upstream_invalid"


async def test_a_call_may_take_as_long_as_it_tells_of_its_progress(tmp_path: Path) -> None:
    old, limits = OldServer(silent={"tools/call"}), quick(stream_idle_seconds=1.0)
    async with (
        world(tmp_path, upstream=Upstream(old), limits=limits) as it,
        stream_of(it.client()) as stream,
    ):
        asked = call("read_file")
        asked["params"]["_meta"] = {"progressToken": "p1"}
        assert (await post(it, stream, asked)).status == 202
        for step in range(8):
            await asyncio.sleep(0.25)
            told = {"progressToken": "p1", "progress": step}
            old.say({"jsonrpc": "2.0", "method": "notifications/progress", "params": told})
            assert (await stream.message())["params"]["progress"] == step
        old.say({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
        assert (await stream.message())["result"] == {"content": []}
        await eventually(lambda: [entry.upstream_code for entry in it.log.completions] == [None])


async def test_a_long_answer_directly_before_the_end_of_the_stream_is_told_once(tmp_path: Path) -> None:
    old = OldServer(silent={"tools/call"})
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        assert (await post(it, stream, call("read_file", id=5))).status == 202
        old.say({"jsonrpc": "2.0", "id": 5, "result": {"text": "x" * 3_000_000}})
        old.over.set()
        said = (await stream.rest()).replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n\n")
        assert [json.loads(event.partition(b"data: ")[2])["id"] for event in said] == [5]
        assert b"UPSTREAM ERROR" not in said[0]
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code is None


@pytest.mark.parametrize("breaks", ["post", "stream and post"])
async def test_a_call_whose_post_breaks_after_its_client_was_told_is_told_once(
    tmp_path: Path, breaks: str
) -> None:
    old = OldServer(breaks=breaks)
    async with world(tmp_path, upstream=Upstream(old)) as it, stream_of(it.client()) as stream:
        assert (await post(it, stream, call("read_file", id=5))).status == 202
        old.over.set()
        said = (await stream.rest()).replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n\n")
        [told] = [json.loads(event.partition(b"data: ")[2]) for event in said]
        assert told["id"] == 5
        assert told["result"].get("isError", False) is (breaks != "post")
        await eventually(lambda: bool(it.log.completions))
        code = None if breaks == "post" else "upstream_invalid"
        assert [entry.upstream_code for entry in it.log.completions] == [code]


async def test_a_call_whose_client_left_is_recorded_so(tmp_path: Path) -> None:
    old = OldServer(silent={"tools/call"})
    async with world(tmp_path, upstream=Upstream(old)) as it:
        async with stream_of(it.client()) as stream:
            await post(it, stream, call("read_file"))
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_code == "client_gone"


async def test_what_the_server_says_to_the_post_passes_when_it_is_no_answer(tmp_path: Path) -> None:
    async with (
        world(tmp_path, upstream=Upstream(OldServer(status=404))) as it,
        stream_of(it.client()) as stream,
    ):
        assert (await post(it, stream, call("read_file"))).status == 404
        await eventually(lambda: bool(it.log.completions))
        assert it.log.completions[0].upstream_status == 404


async def test_credentials_the_server_refuses_are_told_on_the_stream(tmp_path: Path) -> None:
    async with (
        world(tmp_path, upstream=Upstream(OldServer(status=401))) as it,
        stream_of(it.client()) as stream,
    ):
        assert (await post(it, stream, call("read_file"))).status == 202
        told = (await stream.message())["result"]
        assert told["_meta"]["policylayer/decision"]["code"] == "upstream_refused_credentials"


async def test_the_path_a_proxy_takes_off_is_put_before_the_address(tmp_path: Path) -> None:
    proxied = world(tmp_path, upstream=Upstream(OldServer()), prefix="/gateway")
    async with proxied as it, stream_of(it.client()) as stream:
        assert stream.address.startswith(f"/gateway/mcp/{SERVER}/?stream=")
