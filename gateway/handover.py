"""Between workers: a message for a stream that another worker holds is handed to it, whole and unjudged.

Each worker has a door for the others: a socket in a private folder of this machine and, where workers run on
several machines, an internal address. Behind it is the same gateway: a message handed in carries its client's
token and is admitted, judged and recorded as if it had come from the client. It is never handed on again.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.unix_sockets import connected
from gateway.hops import HEADER as HOP
from gateway.http_messages import Reply, Request
from gateway.limits import Limits
from gateway.outbox import Outbox
from gateway.sse_transport import Place, StreamGone
from gateway.upstream_answer import UpstreamAnswer, UpstreamError
from gateway.upstream_connection import UpstreamConnection, read_buffer

_log: Final = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 2.0
_HANDED: Final = frozenset(
    {b"host", b"authorization", b"origin", b"content-type", b"accept", b"traceparent", b"tracestate", HOP}
)
_PASSED: Final = (b"Content-Type", b"Retry-After", b"Allow")


@dataclass(frozen=True, slots=True)
class Door:
    """A worker's door: its name among all workers, the folder of this machine's doors, its internal address.

    `address` is an ip:port that other machines can reach, or "".
    """

    worker: str
    folder: Path | None = None
    address: str = ""

    @property
    def socket(self) -> Path | None:
        return self.folder and socket_of(self.folder, self.worker)


def socket_of(folder: Path, worker: str) -> Path:
    return folder / f"{worker}.sock"


class Handover:
    """`hold_open_seconds`: how long, at most, the other worker waits for a person before it forwards."""

    def __init__(self, door: Door, limits: Limits, hold_open_seconds: float) -> None:
        self._door = door
        self._limits = limits
        self._hold_open_seconds = hold_open_seconds

    async def send(self, request: Request, place: Place) -> Reply:
        """Return the answer of the worker that holds the stream. Raises StreamGone if there is none."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                connection = await self._connect(place)
        except (OSError, TimeoutError):
            raise StreamGone from None
        try:
            async with asyncio.timeout(self._patience()):
                return await self._answer(connection.send(_written(request)))
        except (TimeoutError, UpstreamError) as problem:
            # It may or may not have been forwarded; any answer of the server would have come on the stream.
            _log.warning("a message handed to %s was not answered: %s", place.worker, type(problem).__name__)
            raise StreamGone from None
        finally:
            connection.close()

    async def _connect(self, place: Place) -> UpstreamConnection:
        loop = asyncio.get_running_loop()

        def made() -> UpstreamConnection:
            return UpstreamConnection(
                self._limits,
                loop.time,
                Outbox(loop),
                read_buffer(),
                on_free=lambda _: None,
                on_closed=lambda _: None,
            )

        path = self._door.folder and socket_of(self._door.folder, place.worker)
        if path is not None and path.exists():
            return (await loop.create_unix_connection(made, sock=connected(path)))[1]
        host, _, port = place.address.rpartition(":")
        if not host:
            raise ConnectionRefusedError
        return (await loop.create_connection(made, host.strip("[]"), int(port)))[1]

    def _patience(self) -> float:
        limits = self._limits
        forwarded = limits.answer_seconds + limits.waiting_seconds + limits.connect_seconds
        return self._hold_open_seconds + forwarded

    async def _answer(self, answer: UpstreamAnswer) -> Reply:
        await answer.head()
        body = await answer.whole(self._limits.collected_bytes)
        lines = b"Cache-Control: no-store\r\n"
        for name in _PASSED:
            if name.lower() in answer.headers:
                lines += b"%b: %b\r\n" % (name, answer.headers[name.lower()])
        return Reply(answer.status, lines, body)


def _written(request: Request) -> bytes:
    """Encode the request as its client sent it, without what described the client's connection."""
    lines = b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in request.headers.items()
        if name in _HANDED or name.startswith(b"mcp-")
    )
    head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n"
    return head % (request.target, lines, len(request.body)) + bytes(request.body)
