"""A server address that leads back to a gateway, by whatever route, ends there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.sealing import Keyring
from gateway.hops import Hops
from tests.gateway.raw_http import Client
from tests.gateway.world import ACME, KEYS, MALLORYS_SERVER, SERVER, World, world

OTHERS = Keyring.parse("k1:" + "B" * 43 + "=")
CIRCLE = "This request has been here before: the address of a server leads back to this gateway."


def leads_to(it: World, other: World, keyring: Keyring = KEYS) -> None:
    """Make Acme's server at `it` lead to Acme's server at `other`, with a grant from there."""
    secret = json.dumps({"Authorization": f"Bearer {other.token}"}).encode()
    sealed = keyring.seal(secret, organization=ACME, subject=SERVER, purpose="upstream-headers")
    it.reconfigure(url=f"http://127.0.0.1:{other.http.port}/mcp/{SERVER}/", credentials=sealed)


async def sent_mark(it: World, client: Client) -> str:
    await client.call("read_file", {})
    return it.upstream.received[-1].headers["policylayer-hop"]


async def test_a_server_that_is_the_gateway_itself_is_called_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        leads_to(it, it)
        told = (await alice.call("read_file", {})).json["result"]
        assert told["isError"]
        assert told["content"][0]["text"].endswith("leads back to a gateway the call has come through.")
        assert [decision.outcome for decision in it.log.decisions] == ["allow"]
        [end] = it.log.completions
        assert (end.upstream_status, end.upstream_code) == (508, "upstream_invalid")
        assert (await alice.ask("GET", accept="text/event-stream")).status == 502


async def test_a_circle_through_another_deployment_ends_where_it_began(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        world(tmp_path) as it,
        world(tmp_path / "other", keyring=OTHERS) as other,
        it.client() as alice,
    ):
        leads_to(it, other)
        leads_to(other, it, OTHERS)
        assert (await alice.call("read_file", {})).json["result"]["isError"]
        assert [len(one.log.decisions) for one in (it, other)] == [1, 1]


async def test_whoever_repeats_our_mark_has_only_that_request_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        mark = await sent_mark(it, alice)
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        refused = await alice.post(body, policylayer_hop=mark)
        assert (refused.status, refused.json["error"]["message"]) == (508, CIRCLE)
        assert (await alice.post(body, policylayer_hop=f"{'x' * 22}, {mark}")).status == 508
        assert len(it.upstream.received) == 1
        assert (await alice.post(body)).status == 200
        async with it.client(token="plg_nobody") as stranger:
            assert (await stranger.post(body, policylayer_hop=mark)).status == 401


async def test_the_mark_tells_a_server_nothing_of_a_tenant(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.client() as alice:
            marks = {await sent_mark(it, alice)}
        async with it.client(token=it.mallorys_token, server=MALLORYS_SERVER) as mallory:
            marks.add(await sent_mark(it, mallory))
    assert len(marks) == 1


@pytest.mark.parametrize(
    ("given", "status"),
    [("", 400), ("me", 400), (f"{'x' * 22};{'y' * 22}", 400), (", ".join(["x" * 22] * 9), 508)],
)
async def test_what_no_gateway_writes_is_not_passed_on(tmp_path: Path, given: str, status: int) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert (await alice.post(body, policylayer_hop=given)).status == status
        assert not it.upstream.received


async def test_the_marks_of_others_are_passed_on(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        theirs = "x" * 22
        await alice.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, policylayer_hop=theirs)
        assert it.upstream.received[0].headers["policylayer-hop"] == theirs  # the later of two lines


def test_a_mark_is_known_while_keys_are_changed() -> None:
    old, new = (f"{name}:" + letter * 43 + "=" for name, letter in (("k1", "A"), ("k2", "B")))
    before, between, after = (Hops(Keyring.parse(keys)) for keys in (old, f"{new},{old}", new))
    mark = before.line.removeprefix(b"PolicyLayer-Hop: ").strip()
    assert [hops.refuse(mark) is None for hops in (before, between, after)] == [False, False, True]
