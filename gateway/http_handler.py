"""What a server of HTTP hands its requests to."""

from collections.abc import Coroutine
from typing import Protocol

from gateway.http_exchange import Exchange
from gateway.http_messages import Reply, Request


class Handler(Protocol):
    def check_head(self, request: Request) -> Reply | None:
        """Refuses by the head alone. Also prepares what begin() needs."""

    def hold(self, request: Request, size: int, *, unfinished: bool = False) -> bool:
        """That the request holds so many bytes now, or nothing. False: there is no room for more.

        `unfinished`: the rest of it has yet to come, and meanwhile it is one of those that are open.
        """

    def refused(self, request: Request, reply: Reply) -> None:
        """It is answered so, and never begins."""

    def begin(self, exchange: Exchange) -> Coroutine[None, None, None] | None:
        """What is left to be awaited. None: release() is called when it is over, or was already."""

    def tick(self, now: float) -> None: ...

    def drain(self) -> None:
        """End what would not end by itself."""
