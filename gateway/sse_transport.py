"""The HTTP+SSE transport of 2024-11-05: one stream carries every answer, messages are posted beside it.

A client's stream is held by one worker, but the messages it posts may reach any. The address that a client
is given names the holder, sealed for its grant, so that any worker knows whom to hand a message to.
"""

import re
import secrets
from typing import Final

import msgspec

from common.sealing import Keyring, SealingError
from gateway.admitted import Admitted
from gateway.held_stream import HeldStream
from gateway.http_messages import Request
from gateway.upstream import Pool, same_place
from gateway.visits import Visit

_PURPOSE: Final = "stream of 2024-11-05"
_NAMES_STREAM: Final = re.compile(rb"[^?]*\?(?:.*&)?stream=([^&]*)(?:&.*)?")
_SEALED: Final = re.compile(rb"v1\.[A-Za-z0-9._-]{1,600}")


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Who holds a stream: the worker, its address for other machines (or ""), and the stream's id there."""

    worker: str
    address: str
    stream: str


class StreamGone(Exception):  # noqa: N818
    """There is no such stream, or it is not this grant's."""


class Streams:
    """The streams that this worker holds, and the addresses that clients are given for them."""

    def __init__(self, keyring: Keyring, worker: str, address: str, prefix: str) -> None:
        self._keyring = keyring
        self._worker = worker
        self._address = address
        self._prefix = prefix.encode()
        self._held: dict[str, HeldStream] = {}

    def hold(self, visit: Visit, pool: Pool, endpoint: bytes) -> HeldStream:
        """Raises TargetUnusable if the endpoint that the server named is not its own."""
        target = pool.target.at(endpoint)
        name = secrets.token_urlsafe(16)
        held = HeldStream(name, visit.exchange, visit.admitted, visit.opened, pool, target)
        self._held[held.id] = held
        return held

    async def let_go(self, held: HeldStream, code: str) -> None:
        self._held.pop(held.id, None)
        await held.all_read()
        held.close(code, "The server closed the stream before it had answered.")

    def end_moved(self) -> None:
        """End the streams of a server that is now called elsewhere or otherwise: it knows nothing of them."""
        for held in tuple(self._held.values()):
            opened = held.opened
            if opened.end is not None and not same_place(opened.admitted.server, held.admitted.server):
                opened.end()

    def address_of(self, held: HeldStream) -> bytes:
        """Absolute, because some clients resolve it against their origin instead of their URL."""
        place = msgspec.json.encode(Place(self._worker, self._address, held.id))
        admitted = held.admitted
        sealed = self._keyring.seal(place, **_bound(admitted))
        return b"%b/mcp/%b/?stream=%b" % (self._prefix, admitted.server.id.encode(), sealed.encode())

    def named_by(self, request: Request, admitted: Admitted) -> Place | None:
        """The stream that a message was posted for; None if it names none."""
        named = _NAMES_STREAM.fullmatch(request.target)
        if named is None:
            return None
        if not _SEALED.fullmatch(named[1]):
            raise StreamGone
        try:
            place = self._keyring.open(named[1].decode("ascii"), **_bound(admitted))
            return msgspec.json.decode(place, type=Place)
        except (SealingError, msgspec.MsgspecError):
            raise StreamGone from None

    def is_here(self, place: Place) -> bool:
        return place.worker == self._worker

    def find(self, place: Place, admitted: Admitted) -> HeldStream:
        held = self._held.get(place.stream)
        if held is None or held.ended is not None or held.admitted.grant.id != admitted.grant.id:
            raise StreamGone
        return held


def _bound(admitted: Admitted) -> dict[str, str]:
    return {
        "organization": admitted.organization.organization,
        "subject": f"{admitted.server.id}/{admitted.grant.id}",
        "purpose": _PURPOSE,
    }
