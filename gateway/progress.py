"""Progress notifications for a client that is kept waiting, if it asked for them."""

import asyncio
import re
from collections.abc import Callable
from typing import Final, Self

from gateway.http_messages import Reply
from gateway.protocol.jsonrpc import Request, is_id
from gateway.protocol.strict_json import encode
from gateway.replies import EVENT_STREAM
from gateway.visits import Visit

_EVERY_SECONDS: Final = 5.0
_TAKES_EVENTS: Final = re.compile(rb"text/event-stream(?!\s*;\s*q=0(?:\.0+)?\s*(?:,|\Z))", re.IGNORECASE)


class Progress:
    """Sends a notification every few seconds while open. `as_event` turns any other reply into an event."""

    def __init__(self, visit: Visit, as_event: Callable[[Reply], bytes]) -> None:
        self._visit = visit
        self._as_event = as_event
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0

    def __enter__(self) -> Self:
        visit = self._visit
        accepts = visit.exchange.request.headers.get(b"accept", b"")
        if visit.stream is None and _token(visit) is not None and _TAKES_EVENTS.search(accepts):
            visit.exchange.begin_stream(EVENT_STREAM + visit.admitted.cors, self._as_event)
            self._tell()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._count += 1
        told = {
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {
                "progressToken": _token(self._visit),
                "progress": self._count,
                "message": "Waiting for a person's approval.",
            },
        }
        self._visit.exchange.write(b"event: message\ndata: %b\n\n" % encode(told))
        self._timer = asyncio.get_running_loop().call_later(_EVERY_SECONDS, self._tell)


def _token(visit: Visit) -> object:
    message = visit.message
    meta = message.params.get("_meta") if isinstance(message, Request) else None
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return token if is_id(token) else None
