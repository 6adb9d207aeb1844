"""A client's stream of the HTTP+SSE transport of 2024-11-05, and the answers awaited on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import jiter

from gateway.admitted import Admitted
from gateway.effects import NotAnswered
from gateway.http_exchange import Exchange
from gateway.open_requests import OpenRequest
from gateway.protocol.jsonrpc import Notification, Request
from gateway.protocol.strict_json import Json
from gateway.upstream import Pool
from gateway.upstream_answer import CLIENT_GONE
from gateway.upstream_target import Target

_Key: TypeAlias = tuple[bool, str]

# In bytes: up to this length a message is parsed on the event loop, a longer one on a thread.
_READ_AT_ONCE: Final = 262_144


@dataclass(slots=True, eq=False)
class Awaited:
    """An answer awaited on the stream. `failed` makes the message that tells the client what went wrong."""

    key: _Key
    failed: Callable[[NotAnswered], bytes]
    done: asyncio.Future[str | None]
    """The code of what broke the answer off, or None once it came."""
    token: _Key | None = None
    """By which the server names the call in its notifications of progress."""
    _heard_at: float = 0.0

    async def answered(self, idle_seconds: float) -> str | None:
        """Return what `done` will hold. Raises TimeoutError if nothing is heard of the call for so long."""
        now = asyncio.get_running_loop().time
        self._heard_at = now()
        while not self.done.done():
            left = self._heard_at + idle_seconds - now()
            if left <= 0:
                raise TimeoutError
            await asyncio.wait([self.done], timeout=left)
        return self.done.result()

    def goes_on(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()


@dataclass(slots=True, eq=False)
class HeldStream:
    """`target` is where the server wants the client's messages to be posted."""

    id: str
    exchange: Exchange
    admitted: Admitted
    opened: OpenRequest
    pool: Pool
    target: Target
    ended: str | None = None
    _awaited: dict[_Key, list[Awaited]] = field(default_factory=dict)
    _readings: set[asyncio.Future["_Heard | None"]] = field(default_factory=set)

    def tell(self, message: bytes) -> None:
        """Write one message of ours between those of the server. It must be a single line."""
        if self.ended is None:
            self.exchange.write(b"event: message\ndata: %b\n\n" % message)

    # Answers that are awaited

    def expect(self, request: Request, failed: Callable[[NotAnswered], bytes]) -> Awaited:
        """Expect an answer to this request. Call this before the server can answer."""
        token = request.meta.get("progressToken")
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        awaited = Awaited(_key(request.id), failed, done, None if token is None else _key(token))
        if self.ended is not None:
            awaited.done.set_result(self.ended)
        self._awaited.setdefault(awaited.key, []).append(awaited)
        return awaited

    def forget(self, awaited: Awaited) -> None:
        same = self._awaited.get(awaited.key, [])
        if awaited in same:
            same.remove(awaited)
        if not same:
            self._awaited.pop(awaited.key, None)

    def hear(self, data: bytes) -> None:
        """Take note of a message that the server sent on the stream."""
        if not self._awaited:
            return
        if len(data) <= _READ_AT_ONCE:
            self._note(_heard(data))
            return
        reading = asyncio.get_running_loop().run_in_executor(None, _heard, data)
        self._readings.add(reading)
        reading.add_done_callback(self._read)

    def _read(self, reading: asyncio.Future["_Heard | None"]) -> None:
        self._readings.discard(reading)
        if not reading.cancelled():
            self._note(reading.result())

    async def all_read(self) -> None:
        """Return once everything heard so far has been matched to the request it answers."""
        if self._readings:
            await asyncio.wait(self._readings)

    def cancelled(self, message: Notification, seconds: float) -> None:
        """A call its client gave up is rarely answered: its record waits for no longer than `seconds`."""
        identifier = message.params.get("requestId")
        for awaited in self._awaited.get(_key(identifier), []):
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, _resolve, awaited.done, CLIENT_GONE)

    def _note(self, heard: "_Heard | None") -> None:
        match heard:
            case _Answers(key):
                self._settle(key)
            case _Progress(token):
                for awaited in [one for same in self._awaited.values() for one in same if one.token == token]:
                    awaited.goes_on()

    def _settle(self, key: _Key) -> None:
        for awaited in self._awaited.get(key, []):
            if not awaited.done.done():
                awaited.done.set_result(None)
                return

    def close(self, code: str, reason: str) -> None:
        """End the stream, after everything was read. Calls still waiting are told so if anyone listens."""
        if self.ended is not None:
            return
        for awaited in [one for same in self._awaited.values() for one in same if not one.done.done()]:
            self.tell(awaited.failed(NotAnswered(code, reason, sent=True)))
            awaited.done.set_result(code)
        self.ended = code


def _key(identifier: Json) -> _Key:
    return isinstance(identifier, str), str(identifier)


@dataclass(frozen=True, slots=True)
class _Answers:
    key: _Key


@dataclass(frozen=True, slots=True)
class _Progress:
    token: _Key


_Heard: TypeAlias = _Answers | _Progress


def _heard(data: bytes) -> _Heard | None:
    """Return what this says of a request. Parsed leniently: it is passed on anyway and decides nothing."""
    try:
        message = jiter.from_json(data)
    except ValueError:
        return None
    match message:
        case {"method": "notifications/progress", "params": {"progressToken": token}}:
            return _Progress(_key(token))
        case {"method": _}:
            return None
        case {"id": identifier, "result": _} | {"id": identifier, "error": _}:
            return _Answers(_key(identifier))
    return None


def _resolve(future: asyncio.Future[str | None], code: str) -> None:
    if not future.done():
        future.set_result(code)
