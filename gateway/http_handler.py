"""The interface through which the HTTP server hands over its requests."""

from collections.abc import Coroutine
from typing import Protocol

from gateway.http_exchange import Exchange
from gateway.http_messages import Reply, Request


class Handler(Protocol):
    def check_head(self, request: Request) -> Reply | None:
        """Return a refusal by the head alone, or None. Also prepares what begin() needs."""

    def hold(self, request: Request, size: int, *, unfinished: bool = False) -> bool:
        """Note that the request now holds `size` bytes. False, and nothing is noted, if there is no room.

        `unfinished`: the rest of it has yet to arrive, and meanwhile it counts as an open request.
        """

    def refused(self, request: Request, reply: Reply) -> None:
        """Note that the request is answered with `reply` and never begins."""

    def begin(self, exchange: Exchange) -> Coroutine[None, None, None] | None:
        """Begin, and return what is left to await. None: release() is called at the end, or already was."""

    def tick(self, now: float) -> None: ...

    def drain(self) -> None:
        """End whatever would not end on its own."""
