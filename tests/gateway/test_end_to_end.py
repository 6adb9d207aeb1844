"""The real parts together: signed bundle, store on disk, SQLite limiter, spool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from common.egress import EgressPolicy, parse_networks
from common.tokens import GRANT, new_token, token_hash
from gateway.app import Gateway
from gateway.config_store import ConfigStore
from gateway.counters.sqlite import SqliteLimiter
from gateway.decision_log import DecisionLog
from gateway.health import routes
from gateway.http_server import HttpServer
from gateway_config.wire.bundle import Bundle, BundleGrant, BundlePolicy
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.messages import (
    BatchAnswer,
    CompletionEntry,
    DecisionEntry,
    RecordBatch,
    SignedBundle,
)
from gateway_config.wire.signing import SigningKey, VerifyKeys, new_signing_key, sign
from tests.gateway.limiters import trusted_file
from tests.gateway.raw_http import Client, Conversation, Upstream, read_chunk
from tests.gateway.world import ACME, DOCUMENT, KEYS, POLICY, SERVER, eventually, server

SIGNING_KEY = SigningKey.parse(new_signing_key("s1"))
GRANT_ID = "00000000-0000-7000-8000-000000000941"
META = "policylayer/decision"


@dataclass
class Worker:
    """One gateway worker with its real files on disk."""

    store: ConfigStore
    decisions: DecisionLog
    limiter: SqliteLimiter
    gateway: Gateway
    http: HttpServer

    def client(self, token: str) -> Client:
        return Client(self.http.port, token, f"/mcp/{SERVER}/")

    async def shipped(self) -> list[DecisionEntry | CompletionEntry]:
        """The records that the control plane would get."""
        records: list[DecisionEntry | CompletionEntry] = []

        async def take(body: bytes) -> BatchAnswer:
            batch = msgspec.json.decode(body, type=RecordBatch)
            records.extend(batch.records)
            return BatchAnswer(through=batch.records[-1].sequence)

        await self.decisions.drain(take, 2)
        return records


@asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[Worker]:
    store = ConfigStore(folder / "config", VerifyKeys.parse(SIGNING_KEY.verify_key()))
    limiter = SqliteLimiter(trusted_file(folder / "limiter.sqlite3"), worker="gw-1", witness=folder / "epoch")
    decisions = DecisionLog(folder / "spool", worker="gw-1")
    gateway = Gateway(
        config=store,
        limiter=limiter,
        decisions=decisions,
        egress=EgressPolicy(parse_networks("127.0.0.0/8")),
        keyring=KEYS,
        hosts=frozenset({"127.0.0.1"}),
        routes=routes(store),
    )
    store.on_swap(gateway.on_swap)
    http = await gateway.serve("127.0.0.1", 0)
    try:
        yield Worker(store, decisions, limiter, gateway, http)
    finally:
        await http.close()
        gateway.close()
        decisions.close()
        await limiter.close()


def bundle(url: str, *tokens: str, revision: int = 1, document: str = DOCUMENT) -> SignedBundle:
    grants = tuple(
        BundleGrant(
            id=GRANT_ID[:-1] + str(number), token_sha256=token_hash(token), server=SERVER, policy=POLICY
        )
        for number, token in enumerate(tokens)
    )
    policies = (BundlePolicy(id=POLICY, policy=POLICY, number=1, document=document),)
    body = encode_bundle(Bundle(organization=ACME, servers=(server(url),), policies=policies, grants=grants))
    envelope = sign(
        body,
        organization=ACME,
        revision=revision,
        not_before=int(time.time()) - 1,
        lease_seconds=3600,
        key=SIGNING_KEY,
    )
    return SignedBundle(envelope, body.decode())


async def test_a_published_policy_holds_from_the_bundle_to_the_record(tmp_path: Path) -> None:
    token = new_token(GRANT)
    async with Upstream() as upstream, worker(tmp_path) as it, it.client(token) as alice:
        assert (await alice.call("read_file", {})).status == 503
        assert (await it.store.apply(bundle(upstream.url, token))).state == "applied"
        assert "isError" not in (await alice.call("read_file", {"path": "/a"})).json["result"]
        for expected in (None, None, "limit_exceeded"):
            result = (await alice.call("create_access_key", {})).json["result"]
            assert result.get("_meta", {}).get(META, {}).get("code") == expected
        assert (await alice.call("hidden_tool", {})).json["result"]["isError"]
        assert len(upstream.received) == 3

        records = await it.shipped()
        decisions = [record for record in records if isinstance(record, DecisionEntry)]
        assert [(entry.tool, entry.outcome, entry.code) for entry in decisions] == [
            ("read_file", "allow", None),
            ("create_access_key", "allow", None),
            ("create_access_key", "allow", None),
            ("create_access_key", "deny", "limit_exceeded"),
            ("hidden_tool", "deny", "hidden"),
        ]
        assert all(entry.revision == 1 and entry.policy == POLICY for entry in decisions)
        completed = {record.id for record in records if isinstance(record, CompletionEntry)}
        assert completed == {entry.id for entry in decisions if entry.outcome == "allow"}
        sequences = [record.sequence for record in records]
        assert sequences == sorted(set(sequences))


async def test_revoking_a_grant_stops_its_calls_and_its_streams(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def standing(conversation: Conversation) -> None:
        conversation.begin_stream()
        conversation.event(": open\n\n")
        await never.wait()  # the server does not end it

    token, other = new_token(GRANT), new_token(GRANT)
    async with Upstream(standing) as upstream, worker(tmp_path) as it:
        await it.store.apply(bundle(upstream.url, token, other))
        async with it.client(token) as alice, it.client(token) as again:
            alice.send(alice.head("GET", None, {}))
            assert (await alice.answer_head()).status == 200
            await it.store.apply(bundle(upstream.url, other, revision=2))
            async with asyncio.timeout(60):
                while await read_chunk(alice.reader):
                    pass
            assert (await again.call("read_file", {})).status == 401


async def test_an_edited_policy_is_in_force_with_the_next_call(tmp_path: Path) -> None:
    token = new_token(GRANT)
    closed = '{"version": "1", "default": "deny"}'
    async with Upstream() as upstream, worker(tmp_path) as it, it.client(token) as alice:
        for revision, document, outcome in ((1, DOCUMENT, False), (2, closed, True), (3, DOCUMENT, False)):
            await it.store.apply(bundle(upstream.url, token, revision=revision, document=document))
            result = (await alice.call("read_file", {})).json["result"]
            assert result.get("isError", False) is outcome


async def test_a_worker_goes_on_from_its_disk(tmp_path: Path) -> None:
    token = new_token(GRANT)
    async with Upstream() as upstream:
        async with worker(tmp_path) as it, it.client(token) as alice:
            await it.store.apply(bundle(upstream.url, token))
            for _ in range(2):
                await alice.call("create_access_key", {})
        async with worker(tmp_path) as it, it.client(token) as alice:
            result = (await alice.call("create_access_key", {})).json["result"]
            assert result["_meta"][META]["code"] == "limit_exceeded"
            assert len(upstream.received) == 2
            alice.path = "/readyz"
            assert (await alice.ask("GET", authorization=None)).status == 200


async def test_a_limit_is_exact_when_calls_come_at_once(tmp_path: Path) -> None:
    token = new_token(GRANT)
    async with Upstream() as upstream, worker(tmp_path) as it:
        await it.store.apply(bundle(upstream.url, token))
        clients = [it.client(token) for _ in range(12)]
        for client in clients:
            await client.connect()
        answers = await asyncio.gather(*(client.call("create_access_key", {}) for client in clients))
        assert sum("isError" not in answer.json["result"] for answer in answers) == 2
        await eventually(lambda: len(upstream.received) == 2)
