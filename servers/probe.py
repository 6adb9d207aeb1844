"""Connects to a server once, as an MCP client of any revision, and reads its whole list of tools.

The official SDK speaks and we listen at the transport. Every connection passes the egress guard. Definitions
are read from the server's own bytes: one odd tool does not hide the others, and a digest is of what was sent.
"""

import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from math import inf
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from common.blotting import Secrets
from common.egress import EgressPolicy, why_denied
from servers.addresses import address_of
from servers.definitions import CURSOR_MAX, Collected, Page, PageUnreadable, ToolDefinition, read_page, shown
from servers.guarded_http import (
    Budget,
    CertificateRefused,
    GuardedTransport,
    OutboundFailed,
    Resolver,
    expiry_of_certificate,
    guarded_client,
    system_resolver,
)
from servers.probe_failures import (
    Asked,
    ScanFailed,
    certificate_failure,
    connection_failure,
    not_mcp,
    not_mcp_after,
    timed_out,
    too_large,
    unauthorized,
)

__all__ = ["ScanFailed", "ScanLimits", "ScanResult", "ServerInfo", "Step", "ToolDefinition", "scan"]

GOODBYE_SECONDS: Final = 2.0
OLD_HANDSHAKE_SECONDS: Final = 15.0
_SECONDS_A_DAY: Final = 86_400
# How, by the protocol, an old server answers the first POST of a streamable HTTP client.
_REFUSED_BY_OLD_SERVERS: Final = frozenset({400, 404, 405})
_EVENTS: Final = "text/event-stream"
# The bytes that come before a value in JSON, and before a line of a stream.
_BEFORE_VALUES: Final = (b",", b"{", b"[", b"\n", b"\r")

# The SDK logs answers it cannot read, and a hostile server may echo a credential in one. What matters is in
# ScanFailed.
for _name in ("mcp.client", "mcp.shared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Step:
    """`milliseconds` is None while the step is under way; a later step with the same title replaces it."""

    title: str
    detail: str
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    name: str
    title: str
    version: str


@dataclass(frozen=True, slots=True)
class ScanLimits:
    tools: int = 5_000
    pages: int = 1_000
    bytes: int = 64 * 1024 * 1024
    seconds: int = 60
    # A byte of JSON can become an object of a hundred bytes, several times over.
    values: int = 2_000_000


@dataclass(frozen=True, slots=True)
class ScanResult:
    protocol_version: str
    server: ServerInfo
    tools: tuple[ToolDefinition, ...]
    problems: tuple[str, ...]
    dropped: int
    duplicates: tuple[str, ...]
    steps: tuple[Step, ...]


async def scan(
    url: str,
    headers: Mapping[str, str],
    egress: EgressPolicy,
    on_step: Callable[[Step], None] | None = None,
    *,
    limits: ScanLimits = ScanLimits(),
    resolver: Resolver = system_resolver,
    tls: ssl.SSLContext | None = None,
) -> ScanResult:
    """Raises ScanFailed and nothing else. `on_step` is called inside the event loop: it must not block."""
    asked = _asked(url, headers)
    journal = _Journal(asked.host, on_step or (lambda _: None))
    make = partial(
        _ScanTransport,
        egress,
        Budget(limits.bytes),
        observer=journal,
        resolver=resolver,
        tls=tls,
        asked=asked,
        limits=limits,
        secrets=_secrets(url, headers),
    )
    attempts = [make()]
    try:
        with anyio.fail_after(limits.seconds):
            return await _visit_either_way(url, headers, attempts, make, journal)
    except TimeoutError:
        failed = attempts[-1].failure or timed_out(asked, limits.seconds)
    except ScanFailed as ours:
        failed = ours
    except Exception:
        # Whatever the SDK raised, the transport saw what happened first.
        failed = await _explained(attempts[-1], asked)
    raise failed.without(headers)


def _secrets(url: str, headers: Mapping[str, str]) -> Secrets | None:
    address = address_of(url)
    return Secrets.of(headers, f"{address.rest}?{address.query}")


def _asked(url: str, headers: Mapping[str, str]) -> Asked:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        host, port, parts = "", 0, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ScanFailed(
            "name_not_found", "This is not the URL of a server.", "Write it like https://example.com/mcp."
        )
    return Asked(shown(host, 253), port, parts.path, bool(headers))


async def _explained(transport: "_ScanTransport", asked: Asked) -> ScanFailed:
    refused = transport.refused_certificate
    if refused is not None and refused.verify_code == 10:
        ended = await expiry_of_certificate(refused.address, asked.port, asked.host)
        return certificate_failure(refused, asked, ended)
    return transport.failure or not_mcp_after(asked, transport.last_status, transport.last_type)


async def _visit_either_way(
    url: str,
    headers: Mapping[str, str],
    attempts: list["_ScanTransport"],
    make: Callable[..., "_ScanTransport"],
    journal: "_Journal",
) -> ScanResult:
    """Visits over streamable HTTP or, if that is refused as old servers do, over HTTP+SSE of 2024-11-05."""
    try:
        return await _visit(url, headers, attempts[0], journal)
    except Exception:
        if not attempts[0].may_be_old:
            raise
    old = make(old=True)
    attempts.append(old)
    try:
        return await _visit(url, headers, old, journal)
    except Exception:
        if not old.spoke and old.failure is None:
            attempts.pop()  # It is not an old server either: the first attempt tells more.
        raise


async def _visit(
    url: str, headers: Mapping[str, str], transport: "_ScanTransport", journal: "_Journal"
) -> ScanResult:
    async with _connected(url, headers, transport) as client:
        try:
            return await _converse(client, transport, journal)
        except ScanFailed as failed:
            # Kept here, because on its way out the SDK's task group wraps it.
            transport.failure = transport.failure or failed
            raise


@asynccontextmanager
async def _connected(
    url: str, headers: Mapping[str, str], transport: "_ScanTransport"
) -> AsyncIterator[Client]:
    known = partial(
        Client,
        client_info=types.Implementation(name="policylayer", title="PolicyLayer", version="1"),
        cache=None,
        read_timeout_seconds=transport.limits.seconds,
    )
    http = guarded_client(transport, headers)
    if transport.old:
        old = sse_client(url, httpx_client_factory=lambda headers=None, timeout=None, auth=None: http)
        with anyio.move_on_after(min(OLD_HANDSHAKE_SECONDS, transport.limits.seconds / 2)) as waiting:
            async with known(old, mode="legacy") as client:
                waiting.deadline = inf
                yield client
        if waiting.cancelled_caught:
            # The SDK waits for ever if the stream names an address of another origin.
            what = "its stream names no address of its own for messages"
            transport.failure = not_mcp(transport.asked, what, "Tell whoever runs the server.")
            raise transport.failure
        return
    async with http:
        wire = streamable_http_client(url, http_client=http, max_sse_event_size=None)
        async with known(wire) as client:
            yield client


async def _converse(client: Client, transport: "_ScanTransport", journal: "_Journal") -> ScanResult:
    version = shown(client.protocol_version, 20)
    transport.spoke = True
    journal.note("Speaks MCP", f"protocol {version}, {'HTTP+SSE' if transport.old else 'streamable HTTP'}")
    collected = await _read_tools(client, transport, journal)
    return ScanResult(
        protocol_version=version,
        server=_server_info(client.server_info, transport.secrets),
        tools=tuple(collected.tools.values()),
        problems=collected.problems(),
        dropped=collected.unnamed + len(collected.unusable),
        duplicates=tuple(dict.fromkeys(collected.repeated)),
        steps=tuple(journal.steps),
    )


def _server_info(info: types.Implementation | None, secrets: Secrets | None) -> ServerInfo:
    if info is None:
        return ServerInfo("", "", "")
    said = [info.name, info.title, info.version]
    name, title, version = said if secrets is None else secrets.blotted(said)
    return ServerInfo(shown(name, 256), shown(title, 256), shown(version, 64))


async def _read_tools(client: Client, transport: "_ScanTransport", journal: "_Journal") -> Collected:
    limits = transport.limits
    collected = Collected(transport.secrets)
    cursor: str | None = None
    been: set[str] = set()
    for number in range(1, limits.pages + 1):
        page = await _read_page(client, transport, cursor)
        for listed in page.tools:
            collected.add(listed)
            if collected.seen > limits.tools:
                raise too_large(f"It lists more than {limits.tools:,} tools.")
        cursor = page.next_cursor
        if not cursor:
            journal.note("Reading tools", _how_many(number, collected))
            return collected
        if cursor in been or len(cursor) > CURSOR_MAX:
            raise not_mcp(transport.asked, "its list of tools has no end", "Tell whoever runs the server.")
        been.add(cursor)
        journal.under_way("Reading tools", _how_many(number, collected))
    raise too_large(f"Its list of tools has more than {limits.pages:,} pages.")


def _how_many(pages: int, collected: Collected) -> str:
    def counted(number: int, what: str) -> str:
        return f"{number} {what}" if number == 1 else f"{number} {what}s"

    return f"{counted(pages, 'page')}, {counted(len(collected.tools), 'tool')}"


async def _read_page(client: Client, transport: "_ScanTransport", cursor: str | None) -> Page:
    params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
    transport.listen()
    try:
        await client.session.send_request(types.ListToolsRequest(params=params), types.Result)
    except ValidationError:
        pass  # A definition is not what the protocol revision demands. We judge each one ourselves.
    except MCPError as answered:
        if transport.failure is None and answered.code == types.METHOD_NOT_FOUND:
            return Page([], None)
        raise
    return transport.heard_page()


@dataclass(slots=True)
class _Journal:
    """Notes the steps as they happen; observes the connection."""

    host: str
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    connected_once: bool = False

    def note(self, title: str, detail: str, seconds: float | None = None) -> None:
        now = time.monotonic()
        step = Step(title, detail, round((now - self.since if seconds is None else seconds) * 1000))
        self.since = now
        self.steps.append(step)
        self.tell(step)

    def under_way(self, title: str, detail: str) -> None:
        self.tell(Step(title, detail, None))

    def resolved(self, address: str, seconds: float) -> None:
        if not self.connected_once and not self.steps:
            why = why_denied(ip_address(address))
            self.note("Found the host", f"{self.host}, {why or 'a public address'}", seconds)

    def connected(self, tls: ssl.SSLObject | None, seconds: float) -> None:
        if self.connected_once:
            return
        self.connected_once = True
        if tls is None:
            self.note("Connected", "without TLS: what is sent can be read on the way", seconds)
        else:
            self.note("Secure connection", _about(tls), seconds)


def _about(tls: ssl.SSLObject) -> str:
    version = (tls.version() or "TLS").replace("TLSv", "TLS ")
    ends = (tls.getpeercert() or {}).get("notAfter")
    if not isinstance(ends, str):
        return version
    days = int((ssl.cert_time_to_seconds(ends) - time.time()) // _SECONDS_A_DAY)
    return f"{version}, certificate valid for {days} {'day' if days == 1 else 'days'}"


class _ScanTransport(GuardedTransport):
    """Keeps what the SDK would swallow: the first failure, the last status, the bytes of a page.

    `old`: for HTTP+SSE of 2024-11-05, where every answer comes on one stream.
    """

    def __init__(
        self,
        *guard: Any,
        asked: Asked,
        limits: ScanLimits,
        secrets: Secrets | None,
        old: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*guard, **options)
        self.asked = asked
        self.limits = limits
        self.secrets = secrets
        self.old = old
        self.spoke = False
        self.failure: ScanFailed | None = None
        self.refused_certificate: CertificateRefused | None = None
        self.last_status = 0
        self.last_type = ""
        self._values_left = limits.values
        self._heard: list[tuple[str, bytearray]] = []

    @property
    def may_be_old(self) -> bool:
        return not self.spoke and self.failure is None and self.last_status in _REFUSED_BY_OLD_SERVERS

    def listen(self) -> None:
        """Listens from here on: what came before is forgotten, also on a stream that continues."""
        self._heard = [(kind, body) for kind, body in self._heard if self.old and kind.startswith(_EVENTS)]
        for _, body in self._heard:
            body.clear()

    def heard_page(self) -> Page:
        for content_type, body in self._heard:
            try:
                return read_page(content_type, bytes(body))
            except PageUnreadable:
                continue
        raise not_mcp(self.asked, "its list of tools cannot be read", "Tell whoever runs the server.")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        match request.method:
            case "DELETE":
                return await self._goodbye(request)
            case "GET" if not self.old and "last-event-id" not in request.headers:
                # A scan does not wait for notifications, so it opens no stream for them.
                return httpx2.Response(405, request=request)
            case _:
                return await self._ask(request)

    async def _goodbye(self, request: httpx2.Request) -> httpx2.Response:
        with anyio.move_on_after(GOODBYE_SECONDS):
            try:
                return await super().handle_async_request(request)
            except OutboundFailed:
                pass
        return httpx2.Response(204, request=request)

    async def _ask(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await super().handle_async_request(request)
        except OutboundFailed as failed:
            self.failed(failed)
            raise
        self.last_status = response.status_code
        self.last_type = response.headers.get("content-type", "").lower()
        if response.status_code in (401, 403):
            await response.aclose()
            self.failure = self.failure or unauthorized(self.asked, response.status_code)
            raise self.failure
        heard = bytearray()
        self._heard.append((self.last_type, heard))
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Overheard(response.stream, heard, self._count, self.failed)
        return response

    def _count(self, part: bytes) -> None:
        """Counts the values in the bytes before anyone parses them."""
        self._values_left -= sum(map(part.count, _BEFORE_VALUES))
        if self._values_left < 0:
            raise OutboundFailed("too_large", "two million values")

    def failed(self, failed: OutboundFailed) -> None:
        if isinstance(failed, CertificateRefused):
            self.refused_certificate = failed
        self.failure = self.failure or connection_failure(failed, self.asked, self.limits.seconds)


class _Overheard(httpx2.AsyncByteStream):
    def __init__(
        self,
        stream: httpx2.AsyncByteStream,
        heard: bytearray,
        count: Callable[[bytes], None],
        on_failure: Callable[[OutboundFailed], None],
    ) -> None:
        self._stream = stream
        self._heard = heard
        self._count = count
        self._on_failure = on_failure

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._count(part)
                self._heard.extend(part)
                yield part
        except OutboundFailed as failed:
            self._on_failure(failed)
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
