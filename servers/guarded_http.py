"""HTTP to an address that a person typed or a server sent.

The name is resolved once for each connection, every address it has must pass the egress policy, and the
connection goes to one of exactly those addresses, with Host and SNI of the name. Redirects are not followed,
proxies and netrc of the environment are not used, responses are bounded and must not be compressed.
"""

import logging
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeAlias

import anyio
import httpcore2
import httpx2
from anyio.streams.tls import TLSAttribute
from cryptography import x509

from common.egress import AddressRefused, EgressPolicy
from common.tls import trusting
from servers.addresses import address_of

FailureCode: TypeAlias = Literal[
    "name_not_found",
    "refused",
    "timed_out",
    "tls",
    "address_not_allowed",
    "too_large",
    "redirected",
    "not_http",
]
Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

# HTTP clients quote URLs and headers in their logs, and people put tokens in both.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
# Headers that describe the connection or the message are ours to set, whatever was typed.
_OURS: Final = frozenset(
    {
        *("host", "connection", "keep-alive", "te", "trailer", "upgrade", "expect", "transfer-encoding"),
        *("content-length", "content-type", "accept", "accept-encoding"),
        *("proxy-authorization", "proxy-connection"),
        *("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"),
    }
)


class OutboundFailed(httpx2.TransportError):
    """A request brought nothing usable.

    `detail` is the seconds waited, "closed", what was too much, or a redirect's origin and path; never a
    header, a query or anything else the server sent.
    """

    def __init__(self, code: FailureCode, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class AddressNotAllowed(OutboundFailed):
    def __init__(self, refused: AddressRefused) -> None:
        super().__init__("address_not_allowed")
        self.address = refused.address
        self.why = refused.why


class CertificateRefused(OutboundFailed):
    """`verify_code` is OpenSSL's; None if the connection failed before any certificate was judged."""

    def __init__(self, error: BaseException | None, address: str) -> None:
        super().__init__("tls")
        self.verify_code: int | None = None
        if isinstance(error, ssl.SSLCertVerificationError):
            self.verify_code = error.verify_code
        self.address = address


class Observer(Protocol):
    """Is told how far a connection has come, and how long that took."""

    def resolved(self, address: str, seconds: float) -> None: ...
    def connected(self, tls: ssl.SSLObject | None, seconds: float) -> None: ...


@dataclass(slots=True)
class Budget:
    """How many more bytes of responses are read, over all requests of one client."""

    left: int

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise OutboundFailed("too_large")


async def system_resolver(host: str, port: int) -> list[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves names and connects to their checked addresses: every request of a client passes here."""

    def __init__(self, egress: EgressPolicy, observer: Observer | None, resolver: Resolver) -> None:
        self._egress = egress
        self._observer = observer
        self._resolve = resolver
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        started = time.monotonic()
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                addresses = await self._checked_addresses(host, port)
                self._tell_resolved(addresses[0], started)
                return await self._first_that_answers(addresses, port)
        except TimeoutError:
            raise OutboundFailed("timed_out", f"{CONNECT_SECONDS:g}") from None

    async def _checked_addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise OutboundFailed("name_not_found") from None
        if not addresses:
            raise OutboundFailed("name_not_found")
        for address in addresses:
            try:
                self._egress.check(address, port)
            except AddressRefused as refused:
                raise AddressNotAllowed(refused) from None
        return addresses

    def _tell_resolved(self, address: str, started: float) -> None:
        if self._observer is not None:
            self._observer.resolved(address, time.monotonic() - started)

    async def _first_that_answers(self, addresses: list[str], port: int) -> httpcore2.AsyncNetworkStream:
        # A dead address must leave time to try the next.
        patience = CONNECT_SECONDS / len(addresses)
        code: FailureCode = "refused"
        for address in addresses:
            started = time.monotonic()
            try:
                stream = await self._network.connect_tcp(address, port, timeout=patience)
            except httpcore2.ConnectTimeout:
                code = "timed_out"
                continue
            except httpcore2.ConnectError:
                continue
            return _GuardedStream(stream, address, started, self._observer)
        raise OutboundFailed(code, f"{CONNECT_SECONDS:g}" if code == "timed_out" else "")

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise OutboundFailed("address_not_allowed")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _GuardedStream(httpcore2.AsyncNetworkStream):
    """A connection that knows its address, so that a refused certificate can be reported with it."""

    def __init__(
        self,
        stream: httpcore2.AsyncNetworkStream,
        address: str,
        started: float,
        observer: Observer | None,
        secure: bool = False,
    ) -> None:
        self._stream = stream
        self._address = address
        self._started = started
        self._observer = observer
        self._told = False
        self._secure = secure

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # The first byte of HTTP means that TLS is established or will not be used.
        if not self._told and self._observer is not None:
            self._told = True
            tls = self._stream.get_extra_info("ssl_object") if self._secure else None
            self._observer.connected(tls, time.monotonic() - self._started)
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, CONNECT_SECONDS)
        except httpcore2.ConnectTimeout:
            raise OutboundFailed("timed_out", f"{CONNECT_SECONDS:g}") from None
        except httpcore2.ConnectError as failed:
            raise CertificateRefused(failed.__cause__, self._address) from None
        return _GuardedStream(stream, self._address, self._started, self._observer, secure=True)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._budget.spend(len(part))
                yield part
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as failed:
            raise _translated(failed) from None

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


class GuardedTransport(httpx2.AsyncBaseTransport):
    def __init__(
        self,
        egress: EgressPolicy,
        budget: Budget,
        *,
        observer: Observer | None = None,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._budget = budget
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or trusting(""),
            network_backend=GuardedBackend(egress, observer, resolver),
            max_connections=4,
            max_keepalive_connections=2,
            keepalive_expiry=10,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            answer = await self._pool.handle_async_request(_for_the_wire(request))
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as failed:
            raise _translated(failed) from None
        assert isinstance(answer.stream, AsyncIterable)
        response = httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_BoundedStream(answer.stream, self._budget),
            extensions=answer.extensions,
        )
        try:
            _check_head(request.url, response)
        except OutboundFailed:
            await response.aclose()
            raise
        return response

    async def aclose(self) -> None:
        await self._pool.aclose()


def _for_the_wire(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore2.Request(
        method=request.method,
        url=target,
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _check_head(url: httpx2.URL, response: httpx2.Response) -> None:
    if 300 <= response.status_code < 400 and "location" in response.headers:
        raise OutboundFailed("redirected", _origin_and_path(url, response.headers["location"]))
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        # We asked for no compression. A few bytes may expand to gigabytes.
        raise OutboundFailed("not_http")


def _origin_and_path(url: httpx2.URL, location: str) -> str:
    try:
        target = url.join(location).copy_with(userinfo=b"", query=None, fragment=None)
    except (httpx2.InvalidURL, ValueError):
        return ""
    # Often the path that was asked for: a key in it is not shown.
    return address_of(str(target)).shown[:300]


def _translated(failed: Exception) -> OutboundFailed:
    if isinstance(failed, httpcore2.TimeoutException):
        return OutboundFailed("timed_out", f"{READ_SECONDS:g}")
    if isinstance(failed, httpcore2.NetworkError):
        return OutboundFailed("refused", "closed")
    return OutboundFailed("not_http")


async def expiry_of_certificate(address: str, port: int, name: str) -> datetime | None:
    """Returns when the certificate of this checked address ends; sends nothing but a TLS handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            stream = await anyio.connect_tcp(
                address, port, tls_hostname=name, ssl_context=context, tls_standard_compatible=False
            )
            async with stream:
                shown = stream.extra(TLSAttribute.peer_certificate_binary)  # noqa: S610
    except (OSError, TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream):
        return None
    try:
        return x509.load_der_x509_certificate(shown or b"").not_valid_after_utc
    except ValueError:
        return None


def sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the typed headers, without those that the connection itself must set."""
    return {name: value for name, value in headers.items() if name.strip().lower() not in _OURS}


def guarded_client(transport: GuardedTransport, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=transport,
        headers={**sendable(headers), "accept-encoding": "identity", "user-agent": "policylayer"},
        timeout=httpx2.Timeout(READ_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )
