"""Writes that come together are made together, one right after the other, at the end of the loop's iteration.

Waking a reader costs more than writing to it. A reader that is written to again while it still works on what
came before need not be woken; one that has to wait for what we do between two writes has gone to sleep.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

_log: Final = logging.getLogger("gateway.outbox")


class Outbox:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writes: list[Callable[[], None]] = []

    def add(self, write: Callable[[], None]) -> None:
        """`write` is called before anything else is read. By then there may be nothing left to write."""
        if not self._writes:
            self._loop.call_soon(self._make)
        self._writes.append(write)

    def _make(self) -> None:
        writes, self._writes = self._writes, []
        for write in writes:
            try:
                write()
            except Exception as failure:
                # The other writes belong to other calls, and to other organizations.
                _log.error("something could not be written", exc_info=failure)
