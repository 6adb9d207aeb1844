"""Writes that come together are made together, one right after the other, at the end of the loop's turn.

Waking whoever reads costs more than the writing. A reader that is written to again while it works on what
came before need not be woken again; one that waits for what we do between two writes has gone to sleep.
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
        """Called before anything else is read. It may find that there is nothing to write any more."""
        if not self._writes:
            self._loop.call_soon(self._make)
        self._writes.append(write)

    def _make(self) -> None:
        writes, self._writes = self._writes, []
        for write in writes:
            try:
                write()
            except Exception as failure:
                # The others are of other calls, and of other organizations.
                _log.error("something could not be written: %s", type(failure).__name__)
