"""Failures between the gateway and a server are told apart; and what never leaves the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from common.egress import EgressPolicy, parse_listeners, parse_networks
from common.tokens import GRANT, new_token
from gateway.upstream_connection import UpstreamConnection
from tests.gateway.answering import GOOD, answering, failure, http
from tests.gateway.limiters import Counting
from tests.gateway.raw_http import Conversation, Upstream
from tests.gateway.world import (
    MALLORYS_SERVER,
    UMBRA,
    eventually,
    organization,
    quick,
    server,
    world,
)

NONSENSE = {
    "not HTTP": b"220 mail ready\r\n",
    "HTML": http(b"<html>", kind="text/html"),
    "JSON that breaks off": http(b'{"jsonrpc":'),
    "another id": http(b'{"jsonrpc":"2.0","id":2,"result":{}}'),
    "a text for an id": http(b'{"jsonrpc":"2.0","id":"1","result":{}}'),
    "no answer": http(b'{"jsonrpc":"2.0","id":1}'),
    "a list": http(b"[" + GOOD + b"]"),
    "nothing": http(b""),
    "nothing of no type": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no more than accepted": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "500": http(b"{}", status="500 Oh"),
    "503": http(b"{}", status="503 Busy"),
    "a redirect": http(b"", status="302 Found", more="Location: http://169.254.169.254/\r\n"),
    "compressed": http(b"\x1f\x8b", more="Content-Encoding: gzip\r\n"),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_told_as_such(tmp_path: Path, data: bytes) -> None:
    async with world(tmp_path, upstream=answering(data)) as it, it.client() as alice:
        code, text = failure(await alice.call("read_file", {}))
        assert code == "upstream_invalid"
        assert text.startswith("[UPSTREAM ERROR] ")
        [decision] = it.log.decisions
        assert decision.outcome == "allow"
        assert it.log.completions[0].upstream_code == "upstream_invalid"
        assert len(it.upstream.received) == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "407 Proxy"])
async def test_refused_credentials_never_start_a_login_at_the_client(tmp_path: Path, status: str) -> None:
    data = http(b"{}", status=status, more='WWW-Authenticate: Bearer resource_metadata="http://evil"\r\n')
    async with world(tmp_path, upstream=answering(data)) as it, it.client() as alice:
        answer = await alice.call("read_file", {})
        assert failure(answer)[0] == "upstream_refused_credentials"
        assert "www-authenticate" not in answer.headers
        listed = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert (listed.status, listed.json["error"]["code"]) == (200, -32603)
        assert listed.json["error"]["data"] == {"code": "upstream_refused_credentials"}


@pytest.mark.parametrize("status", [400, 404, 405, 429])
async def test_protocol_errors_pass_as_they_are(tmp_path: Path, status: int) -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad  Request"}}'
    data = http(body, status=f"{status} X", more="Allow: POST\r\nSet-Cookie: a=b\r\n")
    async with world(tmp_path, upstream=answering(data)) as it, it.client() as alice:
        answer = await alice.call("read_file", {})
        assert (answer.status, answer.body, answer.headers["allow"]) == (status, body, "POST")
        assert "set-cookie" not in answer.headers


async def test_a_server_that_does_not_answer_is_told_as_late(tmp_path: Path) -> None:
    async def hang(_: Conversation) -> None:
        await asyncio.sleep(60)

    counting = Counting()
    limits = quick(answer_seconds=0.3)
    behaviour = Upstream(hang)
    async with (
        world(tmp_path, upstream=behaviour, limits=limits, limiter=counting) as it,
        it.client() as alice,
    ):
        assert failure(await alice.call("create_access_key", {}))[0] == "upstream_timeout"
        assert len(counting.reserved) == 1
        assert not counting.given_back


async def test_a_server_that_dribbles_is_told_as_late(tmp_path: Path) -> None:
    async def dribble(conversation: Conversation) -> None:
        conversation.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        while not conversation.writer.is_closing():
            await asyncio.sleep(0.05)
            conversation.write(b" ")

    limits = quick(answer_grace_seconds=0.3)
    async with world(tmp_path, upstream=Upstream(dribble), limits=limits) as it, it.client() as alice:
        assert failure(await alice.call("read_file", {}))[0] == "upstream_timeout"


async def test_a_server_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    counting = Counting()
    async with world(tmp_path, limiter=counting) as it, it.client() as alice:
        it.reconfigure(url="http://127.0.0.1:9/mcp")
        code, text = failure(await alice.call("create_access_key", {}))
        assert (code, text) == (
            "upstream_unreachable",
            "[UPSTREAM ERROR] The gateway could not connect to the server.",
        )
        assert counting.given_back == counting.reserved


async def test_a_name_that_does_not_resolve_costs_nothing(tmp_path: Path) -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    counting = Counting()
    async with world(tmp_path, limiter=counting, resolve=nowhere) as it, it.client() as alice:
        it.reconfigure(url="http://files.example/mcp")
        code, text = failure(await alice.call("create_access_key", {}))
        assert (code, text) == (
            "upstream_unreachable",
            "[UPSTREAM ERROR] The server's name does not resolve.",
        )
        assert counting.given_back == counting.reserved


async def test_a_resolver_that_hangs_holds_up_no_other_server(tmp_path: Path) -> None:
    asked = 0

    async def resolve(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(30)
        return ()

    async with world(tmp_path, resolve=resolve, limits=quick(resolve_seconds=0.3)) as it:
        it.reconfigure(url="http://files.example/mcp")
        async with it.client() as one, it.client() as other:
            answers = await asyncio.gather(one.call("read_file", {}), other.call("read_file", {}))
            assert {failure(answer)[0] for answer in answers} == {"upstream_unreachable"}
            assert asked == 1


async def test_names_nobody_answers_for_take_no_more_than_their_organizations_share(tmp_path: Path) -> None:
    asked: list[str] = []
    let_go = asyncio.Event()

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if host.startswith("silent"):
            await let_go.wait()
        return ["127.0.0.1"]

    async with (
        world(tmp_path, resolve=resolve, limits=quick(resolve_seconds=1.0)) as it,
        AsyncExitStack() as stack,
    ):
        calls = []
        for number in range(20):
            token, id = new_token(GRANT), f"00000000-0000-7000-8000-0000000006{number:02d}"
            silent = server(f"http://silent{number}.example:{it.upstream.port}/mcp", id=id)
            it.config.organizations.append(organization(UMBRA, silent, {token: {}}))
            mallory = await stack.enter_async_context(it.client(token=token, server=id))
            calls.append(asyncio.create_task(mallory.call("read_file", {})))
        it.reconfigure(url=f"http://files.example:{it.upstream.port}/mcp")
        await eventually(lambda: len(asked) == 8)
        async with it.client() as alice:
            assert (await alice.call("read_file", {})).json["result"]["content"][0]["text"] == "done"
        assert {failure(await call)[0] for call in calls} == {"upstream_unreachable"}
        assert len(asked) == 9
        let_go.set()
        await eventually(lambda: len(asked) == 21)


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["127.0.0.1", "10.0.0.5"],
        ["0.0.0.0"],
        ["::1"],
    ],
)
async def test_an_address_that_is_not_allowed_is_never_connected_to(
    tmp_path: Path, addresses: Sequence[str]
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    async with world(tmp_path, resolve=resolve) as it, it.client() as alice:
        it.reconfigure(url=f"http://files.example:{it.upstream.port}/mcp")
        code, text = failure(await alice.call("read_file", {}))
        assert code == "upstream_unreachable"
        assert text == "[UPSTREAM ERROR] The server's address is not one this gateway connects to."
        assert it.upstream.connections == 0


async def test_our_own_listeners_are_not_servers(tmp_path: Path) -> None:
    upstream = Upstream()
    async with upstream:
        pass
    own = EgressPolicy(parse_networks("127.0.0.0/8"), parse_listeners(f"127.0.0.1:{upstream.port}"))
    async with world(tmp_path, egress=own) as it, it.client() as alice:
        it.reconfigure(url=upstream.url)
        assert failure(await alice.call("read_file", {}))[0] == "upstream_unreachable"


async def test_the_name_is_resolved_for_every_new_connection_and_the_host_is_the_name(tmp_path: Path) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with world(tmp_path, resolve=resolve) as it, it.client() as alice:
        it.reconfigure(url=f"http://files.example:{it.upstream.port}/a/b?c=d&e=%2f")
        for _ in range(3):
            assert (await alice.call("read_file", {})).status == 200
        assert asked == ["files.example"]
        assert it.upstream.connections == 1
        [first, *_] = it.upstream.received
        assert first.headers["host"] == f"files.example:{it.upstream.port}"
        assert first.path == "/a/b?c=d&e=%2f"


async def test_an_answer_too_large_is_not_taken(tmp_path: Path) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[],"x":"' + b"x" * 300_000 + b'"}}'
    limits = quick(answer_bytes=100_000)
    async with world(tmp_path, upstream=answering(http(body)), limits=limits) as it, it.client() as alice:
        answer = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.json["error"]["data"]["code"] == "upstream_too_large"


async def test_a_head_without_end_is_not_taken(tmp_path: Path) -> None:
    async def endless(conversation: Conversation) -> None:
        conversation.write(b"HTTP/1.1 200 OK\r\n")
        while not conversation.writer.is_closing():
            conversation.write(b"X-A: " + b"a" * 10_000 + b"\r\n")
            await asyncio.sleep(0)

    async with world(tmp_path, upstream=Upstream(endless)) as it, it.client() as alice:
        assert failure(await alice.call("read_file", {}))[0] == "upstream_too_large"


LONGER = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
AFTER_A_KNOWN_HEAD = {
    "another length": (http(LONGER), None),
    "a head that differs in one byte": (http(GOOD, more="Server: y\r\n"), None),
    "nonsense of the known head": (http(b'{"jsonrpc":"2.0","id":2,"result":{}}'), "upstream_invalid"),
    "a body shorter than its length": (http(GOOD)[:-1], "upstream_invalid"),
    "no body": (http(b""), "upstream_invalid"),
    "a length that is none": (http(GOOD).replace(b"Length: 36", b"Length: +6"), "upstream_invalid"),
    "two lengths": (http(GOOD, more="Content-Length: 36\r\n"), "upstream_invalid"),
}


@pytest.mark.parametrize(("second", "code"), AFTER_A_KNOWN_HEAD.values(), ids=AFTER_A_KNOWN_HEAD)
async def test_a_head_like_the_last_is_known_and_any_other_is_read(
    tmp_path: Path, second: bytes, code: str | None
) -> None:
    answers = [http(GOOD), http(GOOD), second]

    async def behave(conversation: Conversation) -> None:
        conversation.write(answers.pop(0))
        if not answers:
            conversation.writer.close()

    assert len(GOOD) == 36
    async with world(tmp_path, upstream=Upstream(behave)) as it, it.client() as alice:
        for _ in range(2):
            assert (await alice.call("read_file", {})).json == json.loads(GOOD)
        last = await alice.call("read_file", {})
        if code is None:
            assert last.json == json.loads(second.partition(b"\r\n\r\n")[2])
        else:
            assert failure(last)[0] == code
        assert len(it.upstream.received) == 3


async def test_bytes_nobody_asked_for_do_not_answer_the_next_call(tmp_path: Path) -> None:
    async def smuggle(conversation: Conversation) -> None:
        evil = http(b'{"jsonrpc":"2.0","id":1,"result":{"evil":1}}')
        conversation.write(http(GOOD) + (evil if len(it.upstream.received) == 1 else b""))

    async with world(tmp_path, upstream=Upstream(smuggle)) as it, it.client() as alice:
        for _ in range(3):
            assert (await alice.call("read_file", {})).json["result"] == {}


async def test_a_call_is_sent_once_even_when_a_kept_connection_dies_under_it(tmp_path: Path) -> None:
    async def die_second(conversation: Conversation) -> None:
        if len(it.upstream.received) == 2:
            conversation.vanish()
        else:
            conversation.write(http(GOOD))

    async with world(tmp_path, upstream=Upstream(die_second)) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).json["result"] == {}
        assert failure(await alice.call("read_file", {}))[0] == "upstream_invalid"
        assert len(it.upstream.received) == 2
        assert (await alice.call("read_file", {})).json["result"] == {}


@pytest.mark.parametrize("times", [1, 2])
async def test_what_was_not_written_when_its_connection_closed_goes_out_on_another_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    write, left = UpstreamConnection._write, times

    def as_it_closes(connection: UpstreamConnection) -> None:
        nonlocal left
        if it.upstream.received and left:
            left -= 1
            assert connection._transport is not None
            connection._transport.close()  # as the event loop does when it sees that the server closed
        write(connection)

    monkeypatch.setattr(UpstreamConnection, "_write", as_it_closes)
    async with world(tmp_path) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).status == 200
        second = await alice.call("read_file", {})
        if times == 1:
            assert second.json["result"]["content"][0]["text"] == "done"
            assert len(it.upstream.received) == 2
        else:
            assert failure(second)[0] == "upstream_invalid"
            assert len(it.upstream.received) == 1
        assert it.upstream.connections == 2


async def test_a_closed_connection_is_not_used_again(tmp_path: Path) -> None:
    upstream = answering(http(GOOD, more="Connection: close\r\n"), then_close=True)
    async with world(tmp_path, upstream=upstream) as it, it.client() as alice:
        for _ in range(3):
            assert (await alice.call("read_file", {})).json["result"] == {}
        assert it.upstream.connections == 3


async def test_an_answer_that_ends_with_its_connection_is_whole(tmp_path: Path) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + GOOD
    async with world(tmp_path, upstream=answering(data, then_close=True)) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).json["result"] == {}


async def test_an_informational_answer_is_passed_over(tmp_path: Path) -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + http(GOOD)
    async with world(tmp_path, upstream=answering(data)) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).json["result"] == {}


async def test_one_servers_full_pool_holds_up_nobody_else(tmp_path: Path) -> None:
    async def hang_for_acme(conversation: Conversation) -> None:
        if conversation.request.json["params"]["arguments"].get("slow"):
            await asyncio.sleep(1)
        conversation.write(http(GOOD))

    limits = quick(connections_per_server=1, waiting_seconds=0.2)
    async with (
        world(tmp_path, upstream=Upstream(hang_for_acme), limits=limits) as it,
        it.client() as one,
        it.client() as two,
        it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory,
    ):
        slow = asyncio.create_task(one.call("read_file", {"slow": True}))
        await eventually(lambda: len(it.upstream.received) == 1)
        assert (await mallory.call("read_file", {})).json["result"] == {}
        assert failure(await two.call("read_file", {}))[0] == "upstream_unreachable"
        assert (await slow).json["result"] == {}
        assert (await two.call("read_file", {})).json["result"] == {}


async def test_a_waiting_call_gets_the_connection_that_becomes_free(tmp_path: Path) -> None:
    async def slowly(conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        conversation.write(http(GOOD))

    async with world(tmp_path, upstream=Upstream(slowly), limits=quick(connections_per_server=2)) as it:
        clients = [it.client() for _ in range(6)]
        for client in clients:
            await client.connect()
        answers = await asyncio.gather(*(client.call("read_file", {}) for client in clients))
        assert [answer.json["result"] for answer in answers] == [{}] * 6
        assert it.upstream.connections == 2


async def test_results_pass_with_what_only_their_reader_understands(tmp_path: Path) -> None:
    result = b'{"x":"\\ud83d","n":1.10,"big":123456789012345678901,"\\u0061":NaN}'
    body = b'{"id":1,"jsonrpc":"2.0", "result":' + result + b"}"
    async with world(tmp_path, upstream=answering(http(body))) as it, it.client() as alice:
        assert (await alice.call("read_file", {})).body == body


async def test_each_call_is_exactly_one_request_at_its_server(tmp_path: Path) -> None:
    """This holds for many clients at once, even the first, which find no connection; nothing else is sent."""
    async with world(tmp_path) as it:

        async def several(client: int) -> None:
            async with it.client() as one:
                for number in range(10):
                    answer = await one.call("search", {}, id=f"{client}-{number}")
                    assert answer.json["id"] == f"{client}-{number}"

        await asyncio.gather(*(several(client) for client in range(8)))
        sent = sorted(request.json["id"] for request in it.upstream.received)
        assert sent == sorted(f"{client}-{number}" for client in range(8) for number in range(10))


def in_two_parts(status: str, more: str) -> Upstream:
    """A server that sends the head, and the body only once the client was told."""
    body = b"\x1f\x8b" + bytes(20_000)

    async def behave(conversation: Conversation) -> None:
        whole = http(body, status=status, more=more)
        conversation.write(whole[: -len(body) + 1])
        await told.wait()
        conversation.write(whole[-len(body) + 1 :])

    told = asyncio.Event()
    upstream = Upstream(behave)
    upstream.told = told  # type: ignore[attr-defined]
    return upstream


@pytest.mark.parametrize(
    ("status", "more"), [("200 OK", "Content-Encoding: gzip\r\n"), ("500 Oh", ""), ("401 No", "")]
)
async def test_what_is_refused_by_its_head_is_told_at_once_and_costs_no_connection(
    status: str, more: str, tmp_path: Path
) -> None:
    upstream = in_two_parts(status, more)
    told: asyncio.Event = upstream.told  # type: ignore[attr-defined]
    async with world(tmp_path, upstream=upstream) as it, it.client() as alice:
        for _ in range(3):
            told.clear()
            assert (await alice.call("search", {})).json["result"]["isError"]
            told.set()
            pool = next(pool for _, pool in it.gateway._upstreams._pools.values())
            await eventually(lambda pool=pool: len(pool._idle) == 1)  # type: ignore[misc]
    assert (len(upstream.received), upstream.connections) == (3, 1)


async def test_what_is_refused_by_its_head_and_does_not_end_is_left_to_itself(tmp_path: Path) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 70000\r\n\r\n"
    async with world(tmp_path, upstream=answering(long)) as it, it.client() as alice:
        assert (await alice.call("search", {})).json["result"]["isError"]
        await eventually(lambda: it.upstream.gone == 1)
    short = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n"
    async with world(tmp_path / "2", upstream=answering(short)) as it, it.client() as alice:
        assert (await alice.call("search", {})).json["result"]["isError"]
        await eventually(lambda: it.upstream.gone == 1)
