"""A gateway on loopback between a raw client and a recording server, for Alice's Acme and Mallory's Umbra."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from common.egress import EgressPolicy, parse_networks
from common.sealing import Keyring
from common.tokens import GRANT, new_token, token_hash
from gateway.app import Gateway
from gateway.approvals_client import ApprovalsClient
from gateway.control_plane import ControlPlane
from gateway.counters.base import Limiter
from gateway.counters.sqlite import SqliteLimiter
from gateway.drift import DriftWatch
from gateway.handover import Door
from gateway.http_server import HttpServer
from gateway.limits import Limits
from gateway.used_approvals import UsedApprovals
from gateway_config.wire.bundle import (
    Bundle,
    BundleGrant,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
    ToolClass,
)
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization, load_organization
from gateway_config.wire.messages import CompletionEntry, DecisionEntry, Record, Written
from gateway_config.wire.mirrored import MirroredArgument
from tests.gateway.limiters import trusted_file
from tests.gateway.people import People
from tests.gateway.raw_http import Client, Upstream

ACME = "00000000-0000-7000-8000-00000000ac3e"
UMBRA = "00000000-0000-7000-8000-0000000003b4"
SERVER = "00000000-0000-7000-8000-0000000005e1"
MALLORYS_SERVER = "00000000-0000-7000-8000-0000000005e2"
POLICY = "00000000-0000-7000-8000-000000000901"
KEYS = Keyring.parse("k1:" + "A" * 43 + "=")
TOOLS = ("read_file", "delete_file", "hidden_tool", "create_access_key", "search")
DOCUMENT = """{
  "version": "1", "default": "deny", "hide": ["hidden_*"],
  "tools": {
    "read_file": { "deny_if": [ { "conditions": [
        { "path": "args.path", "op": "starts_with", "value": "/etc" } ], "on_deny": "Not from /etc." } ] },
    "search": {},
    "delete_file": { "action": "deny", "reason": "Nothing is deleted here." },
    "create_access_key": { "limits": [
        { "counter": "keys", "window": "minute", "max": 2, "scope": "grant" } ] },
    "approved_only": { "action": "require_approval",
        "limits": [ { "counter": "held", "window": "minute", "max": 1, "scope": "grant" } ] }
  },
  "resources": { "default": "deny", "allow": ["file:///public/*"] },
  "prompts": { "default": "allow", "deny": ["secret_prompt"] }
}"""

_RECORD: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


@dataclass
class Log:
    """The decision log, in memory."""

    entries: list[Record] = field(default_factory=list)
    full: bool = False

    def append_all(self, entries: Sequence[Written]) -> list[bool]:
        if not self.full:
            self.entries += map(_as_read, entries)
        return [not self.full] * len(entries)

    def append_later(self, entry: Written) -> None:
        if self.full:
            raise OSError("no space left")
        self.entries.append(_as_read(entry))

    @property
    def decisions(self) -> list[DecisionEntry]:
        return [entry for entry in self.entries if isinstance(entry, DecisionEntry)]

    @property
    def completions(self) -> list[CompletionEntry]:
        return [entry for entry in self.entries if isinstance(entry, CompletionEntry)]


def _as_read(entry: Written) -> Record:
    """The entry as the control plane will read it."""
    return _RECORD.decode(msgspec.json.encode(entry))


@dataclass
class Config:
    organizations: list[LoadedOrganization] = field(default_factory=list)
    ready: bool = True
    _version: int = 0
    _known: list[LoadedOrganization] = field(default_factory=list)

    @property
    def version(self) -> int:
        """Rises whenever the organizations are not the same objects, because tests change them directly."""
        if list(map(id, self._known)) != list(map(id, self.organizations)):
            self._known, self._version = list(self.organizations), self._version + 1
        return self._version

    def grant(self, token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None:
        for organization in self.organizations:
            if token in organization.grants:
                return organization, organization.grants[token]
        return None


def organization(
    name: str,
    server: BundleServer,
    grants: Mapping[str, Mapping[str, Any]],
    *,
    document: str | None = DOCUMENT,
    explain: bool = False,
    lease: float = 3600,
    classes: Sequence[ToolClass] = (),
    revision: int = 7,
    kept: tuple[str, ...] = (),
    policy: str = POLICY,
) -> LoadedOrganization:
    """An organization as a gateway loads it. `grants`: token -> fields that differ from the default."""
    policies = () if document is None else (BundlePolicy(policy, POLICY, 1, document, tuple(classes)),)
    bundle = Bundle(
        organization=name,
        settings=BundleSettings(explain_denials=explain, kept_arguments=kept),
        servers=(server,),
        policies=policies,
        grants=tuple(
            BundleGrant(**{"id": _grant_id(token), "token_sha256": token_hash(token), "server": server.id}
                        | {"policy": None if document is None else policy} | dict(fields))
            for token, fields in grants.items()
        ),
    )  # fmt: skip
    loaded = load_organization(encode_bundle(bundle), revision=revision)
    loaded.lease.until = time.time() + lease
    return loaded


def _grant_id(token: str) -> str:
    return f"00000000-0000-7000-8000-{token_hash(token)[:12]}"


def server(
    url: str,
    *,
    id: str = SERVER,
    tools: Sequence[str] | Mapping[str, str] = TOOLS,
    mirrored: Mapping[str, tuple[MirroredArgument, ...]] | None = None,
    **fields: Any,
) -> BundleServer:
    """A bundle's server. `tools`: names, or name -> digest; `mirrored`: tool name -> mirrored arguments."""
    digests = tools if isinstance(tools, Mapping) else dict.fromkeys(tools, "")
    listed = tuple(
        BundleTool(name=name, digest=digest, mirrored=(mirrored or {}).get(name, ()))
        for name, digest in digests.items()
    )
    return BundleServer(id=id, name="Files", upstream_url=url, tools=listed, **fields)


@dataclass
class World:
    gateway: Gateway
    http: HttpServer
    upstream: Upstream
    config: Config
    log: Log
    token: str
    mallorys_token: str
    another: Callable[[Door], Gateway]
    """Makes one more worker with the same configuration and counters."""
    limiter: Limiter

    def client(self, *, token: str | None = None, server: str = SERVER, **headers: str) -> Client:
        path = f"/mcp/{server}/"
        return Client(self.http.port, self.token if token is None else token, path, headers)

    def reconfigure(self, **settings: Any) -> None:
        """Replace Acme's configuration."""
        fields = {"grants": {self.token: {}}} | settings
        grants = fields.pop("grants")
        url = fields.pop("url", self.upstream.url)
        tools = fields.pop("tools", TOOLS)
        about = {name: fields.pop(name, None) for name in ("credentials", "mirrored")}
        about["revisions"] = fields.pop("revisions", ())
        fields.setdefault("revision", self.config.organizations[0].revision + 1)
        acme = organization(ACME, server(url, tools=tools, **about), grants, **fields)
        self.config.organizations[0] = acme
        self.gateway.on_swap()


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    upstream: Upstream | None = None,
    limits: Limits | None = None,
    limiter: Limiter | None = None,
    egress: EgressPolicy | None = None,
    tls: ssl.SSLContext | None = None,
    resolve: Callable[[str, int], Awaitable[Sequence[str]]] | None = None,
    hosts: frozenset[str] = frozenset({"127.0.0.1"}),
    origins: frozenset[str] = frozenset({"https://app.example"}),
    door: Door | None = None,
    prefix: str = "",
    drift: DriftWatch | None = None,
    people: People | None = None,
    hold_open_seconds: float = 0,
    kept: tuple[str, ...] = (),
    keyring: Keyring = KEYS,
) -> AsyncIterator[World]:
    async with upstream or Upstream() as server_, AsyncExitStack() as stack:
        token, mallorys = new_token(GRANT), new_token(GRANT)
        config, log = Config(), Log()
        config.organizations = [
            organization(ACME, server(server_.url), {token: {}}, kept=kept),
            organization(UMBRA, server(server_.url, id=MALLORYS_SERVER), {mallorys: {}}),
        ]
        counters = limiter or SqliteLimiter(trusted_file(tmp_path / "limits.sqlite"), worker="gw-1")
        if limiter is None:
            # On a busy disk, making the file may take longer than a call would wait for it.
            await counters.give_back("nobody")
        approvals = None
        if people is not None:
            approvals = await stack.enter_async_context(_asking(people, counters))
        make = partial(
            Gateway,
            config=config,
            limiter=counters,
            decisions=log,
            egress=egress or EgressPolicy(parse_networks("127.0.0.0/8")),
            tls=tls,
            keyring=keyring,
            hosts=hosts,
            origins=origins,
            routes={"/healthz": lambda: (200, b"ok\n", "text/plain")},
            limits=limits or quick(),
            resolve=resolve,
            prefix=prefix,
            drift=drift,
            approvals=approvals,
            hold_open_seconds=hold_open_seconds,
        )
        gateway = make(door=door)
        http = await gateway.serve("127.0.0.1", 0)
        try:
            yield World(
                gateway, http, server_, config, log, token, mallorys, lambda door: make(door=door), counters
            )
        finally:
            await http.close()
            gateway.close()
            if isinstance(counters, SqliteLimiter):
                await counters.close()


@asynccontextmanager
async def _asking(people: People, limiter: Limiter) -> AsyncIterator[ApprovalsClient]:
    async with people, ControlPlane(people.url, "plw_of_a_test") as control:
        client = ApprovalsClient(control, limiter, UsedApprovals(), answer_seconds=30.0)
        hearing = asyncio.create_task(client.run())
        try:
            yield client
        finally:
            hearing.cancel()
            await client.close()


def quick(**changed: Any) -> Limits:
    """Bounds short enough for a test to run into."""
    short = Limits(
        head_seconds=10.0,
        body_grace_seconds=0.4,
        linger_seconds=0.2,
        connect_seconds=10.0,
        resolve_seconds=10.0,
        handshake_seconds=10.0,
        answer_seconds=2.0,
        answer_grace_seconds=1.0,
        drain_seconds=1.0,
        tick_seconds=0.05,
    )
    return replace(short, **changed)


# Shorter than the bounds that tests leave at their defaults, so none of those can make a condition come true.
async def eventually(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.01)
