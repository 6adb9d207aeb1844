"""Health of a worker. /healthz: it serves requests. /readyz: it has a verified configuration to enforce.

Both are answered on the public port, at the worker's door, and beside /metrics on a port of its own: where
several workers share the public port, nobody can tell which of them answers there.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final, TypeAlias

from gateway.config_store import ConfigStore
from gateway.decision_log import DecisionLog
from gateway.http_messages import REASONS
from gateway.metrics import Metrics

Route: TypeAlias = Callable[[], tuple[int, bytes, str]]

_TEXT: Final = "text/plain; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_READ_SECONDS: Final = 5.0
_MOST_HEAD: Final = 16_384
_REQUEST: Final = re.compile(rb"GET (/[a-z]*)(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
# Against DNS rebinding: a browser would let in a page whose host name was made to point at loopback.
_HOST: Final = re.compile(rb"\r\nhost: *(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)? *\r\n", re.IGNORECASE)


def routes(store: ConfigStore) -> dict[str, Route]:
    def healthz() -> tuple[int, bytes, str]:
        return 200, b"ok\n", _TEXT

    def readyz() -> tuple[int, bytes, str]:
        if store.ready:
            return 200, b"ready\n", _TEXT
        return 503, b"no verified configuration yet\n", _TEXT

    return {"/healthz": healthz, "/readyz": readyz}


def numbers(metrics: Metrics, store: ConfigStore, decisions: DecisionLog) -> dict[str, Route]:
    def text() -> tuple[int, bytes, str]:
        return 200, metrics.text(store, decisions).encode(), _PROMETHEUS

    return {"/metrics": text}


async def serve_beside(served: Mapping[str, Route], host: str, port: int) -> asyncio.Server:
    """Serve one request per connection."""
    on_loopback = host == "localhost" or ip_address(host).is_loopback

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                writer.write(_answer(served, await reader.readuntil(b"\r\n\r\n"), on_loopback))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=_MOST_HEAD)


def _answer(served: Mapping[str, Route], head: bytes, on_loopback: bool) -> bytes:
    asked = _REQUEST.match(head)
    route = served.get(asked[1].decode("ascii")) if asked else None
    if on_loopback and not _HOST.search(head):
        status, body, kind = 403, b"This is served to this machine alone.\n", _TEXT
    elif route is None:
        status, body, kind = 404, b"There is nothing here.\n", _TEXT
    else:
        status, body, kind = route()
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        status,
        REASONS.get(status, b""),
        kind.encode(),
        len(body),
        body,
    )
