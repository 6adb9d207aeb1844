"""The HTTP+SSE transport of 2024-11-05: one stream carries every answer, messages are posted beside it.

A client's stream is held by one worker, while what it posts may reach any. The address a client is told names
the holder, sealed for its grant, so that whoever gets a message knows whom to hand it to.
"""

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

import jiter
import msgspec

from common.sealing import Keyring, SealingError
from gateway.effects import NotAnswered
from gateway.http_messages import Request as HttpRequest
from gateway.protocol.jsonrpc import Notification, Request
from gateway.protocol.strict_json import Json
from gateway.replies import upstream_failed
from gateway.upstream import Pool, same_place
from gateway.upstream_answer import CLIENT_GONE
from gateway.upstream_target import Target
from gateway.visits import Admitted, Visit

_PURPOSE: Final = "stream of 2024-11-05"
_NAMES_STREAM: Final = re.compile(rb"[^?]*\?(?:.*&)?stream=([^&]*)(?:&.*)?")
_SEALED: Final = re.compile(rb"v1\.[A-Za-z0-9._-]{1,600}")
# Read on the event loop while nobody waits; a longer one is read beside it.
_READ_AT_ONCE: Final = 262_144


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Who holds a stream: the worker, where other machines reach it (or ""), and which one it is there."""

    worker: str
    address: str
    stream: str


class StreamGone(Exception):  # noqa: N818
    """There is no such stream, or none of this grant's."""


@dataclass(slots=True, eq=False)
class _Waiting:
    visit: Visit
    done: asyncio.Future[str | None]
    """What broke the answer off; None when it came."""


@dataclass(slots=True, eq=False)
class HeldStream:
    """One client's stream. `target` is where the server wants the client's messages."""

    id: str
    visit: Visit
    pool: Pool
    target: Target
    ended: str | None = None
    _waiting: dict[tuple[bool, str], list[_Waiting]] = field(default_factory=dict)

    def tell(self, message: bytes) -> None:
        """Writes one message between those of the server. It is one line."""
        if self.ended is None:
            self.visit.exchange.write(b"event: message\ndata: %b\n\n" % message)

    # Answers that are awaited

    def expect(self, visit: Visit) -> _Waiting | None:
        """To be called before the server can answer. None where the message is not one to be answered."""
        if not isinstance(visit.message, Request):
            return None
        waiting = _Waiting(visit, asyncio.get_running_loop().create_future())
        if self.ended is not None:
            waiting.done.set_result(self.ended)
        self._waiting.setdefault(_key(visit.message.id), []).append(waiting)
        return waiting

    def forget(self, waiting: _Waiting) -> None:
        assert isinstance(waiting.visit.message, Request)
        key = _key(waiting.visit.message.id)
        same = self._waiting.get(key, [])
        if waiting in same:
            same.remove(waiting)
        if not same:
            self._waiting.pop(key, None)

    def hear(self, data: bytes) -> None:
        """The server said this on the stream."""
        if not self._waiting:
            return
        if len(data) <= _READ_AT_ONCE:
            self._settle(_answered(data))
            return
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, _answered, data)
        reading.add_done_callback(lambda read: None if read.cancelled() else self._settle(read.result()))

    def cancelled(self, message: Notification, seconds: float) -> None:
        """A call its client gave up is mostly never answered: its record does not wait for ever."""
        identifier = message.params.get("requestId")
        for waiting in self._waiting.get(_key(identifier), []):
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, _resolve, waiting.done, CLIENT_GONE)

    def _settle(self, key: tuple[bool, str] | None) -> None:
        for waiting in self._waiting.get(key, []) if key is not None else ():
            if not waiting.done.done():
                waiting.done.set_result(None)
                return

    def close(self, code: str, reason: str) -> None:
        """Nothing more comes. Calls still waiting are told so, if anybody listens."""
        if self.ended is not None:
            return
        for waiting in [one for same in self._waiting.values() for one in same if not one.done.done()]:
            failure = NotAnswered(code, reason, sent=True)
            self.tell(upstream_failed(waiting.visit, failure).body)
            waiting.done.set_result(code)
        self.ended = code


class Streams:
    """The streams this worker holds, and what is told to clients about them."""

    def __init__(self, keyring: Keyring, worker: str, address: str, prefix: str) -> None:
        self._keyring = keyring
        self._worker = worker
        self._address = address
        self._prefix = prefix.encode()
        self._held: dict[str, HeldStream] = {}

    def hold(self, visit: Visit, pool: Pool, endpoint: bytes) -> HeldStream:
        """Raises TargetUnusable where the server's endpoint is not its own."""
        target = pool.target.at(endpoint)
        held = HeldStream(secrets.token_urlsafe(16), visit, pool, target)
        self._held[held.id] = held
        return held

    def let_go(self, held: HeldStream, code: str) -> None:
        self._held.pop(held.id, None)
        held.close(code, "The server closed the stream before it had answered.")

    def end_moved(self) -> None:
        """A server that is called elsewhere or otherwise by now knows nothing of a stream begun before."""
        for held in tuple(self._held.values()):
            opened = held.visit.opened
            if opened.end is not None and not same_place(opened.admitted.server, held.visit.admitted.server):
                opened.end()

    def address_of(self, held: HeldStream) -> bytes:
        """Absolute, because some clients resolve it against their origin and not against their URL."""
        place = msgspec.json.encode(Place(self._worker, self._address, held.id))
        admitted = held.visit.admitted
        sealed = self._keyring.seal(place, **_bound(admitted))
        return b"%b/mcp/%b/?stream=%b" % (self._prefix, admitted.server.id.encode(), sealed.encode())

    def named_by(self, request: HttpRequest, admitted: Admitted) -> Place | None:
        """The stream a message was posted for; None where it names none."""
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
        if held is None or held.ended is not None or held.visit.admitted.grant.id != admitted.grant.id:
            raise StreamGone
        return held


def _bound(admitted: Admitted) -> dict[str, str]:
    return {
        "organization": admitted.organization.organization,
        "subject": f"{admitted.server.id}/{admitted.grant.id}",
        "purpose": _PURPOSE,
    }


def _key(identifier: Json) -> tuple[bool, str]:
    return isinstance(identifier, str), str(identifier)


def _answered(data: bytes) -> tuple[bool, str] | None:
    """Which request this answers. Read leniently: it passes whatever it is, and decides about nothing."""
    try:
        message = jiter.from_json(data)
    except ValueError:
        return None
    if not isinstance(message, dict) or "method" in message:
        return None
    return _key(message["id"]) if "id" in message and ("result" in message or "error" in message) else None


def _resolve(future: asyncio.Future[str | None], code: str) -> None:
    if not future.done():
        future.set_result(code)
