"""Tells the control plane which store the limits are counted in, and acts on what it knows of other stores.

A new store is in doubt from its creation, and only the control plane can say that there never was another.
Until it does, or if it says that there was one, each limit is unavailable for its own window and no longer.
"""

import asyncio
import logging
import time
from typing import Final, Protocol

from gateway.control_plane import ControlPlaneError
from gateway_config.wire.messages import LimiterAnswer, LimiterState

_log: Final = logging.getLogger(__name__)

_LOOK_EVERY: Final = 1.0
_AGAIN_AFTER: Final = 0.25
_TOLD_EVERY: Final = 5.0


class Store(Protocol):
    async def state(self) -> LimiterState | None:
        """None while the store does not answer."""

    async def put_in_doubt(self, epoch: str) -> None:
        """Put the store in doubt from now on, if it still has this epoch."""

    async def trust(self, epoch: str, doubt: int) -> None:
        """End the doubt of this epoch that began at `doubt`; a later one stays."""


class Control(Protocol):
    async def limiter(self, state: LimiterState) -> LimiterAnswer: ...


class LimiterWatch:
    def __init__(self, control: Control, store: Store) -> None:
        self._control = control
        self._store = store
        self._told: LimiterState | None = None
        self._again_at = 0.0

    async def run(self) -> None:
        while True:
            try:
                rest = await self.look()
            except ControlPlaneError:
                rest = _LOOK_EVERY  # logged by whoever follows the configuration
            except Exception:
                _log.exception("the control plane could not be told about the limiter's store; trying again")
                rest = _LOOK_EVERY
            await asyncio.sleep(rest)

    async def look(self) -> float:
        """Return the seconds until the next look."""
        state = await self._store.state()
        if state is None:
            return _AGAIN_AFTER
        if state == self._told and time.monotonic() < self._again_at:
            return _LOOK_EVERY
        answer = await self._control.limiter(state)
        if answer.lost:
            await self._store.put_in_doubt(state.epoch)
        if answer.trust is not None:
            await self._store.trust(state.epoch, answer.trust)
        settled = not answer.lost and answer.trust is None
        self._told = state if settled else None
        self._again_at = time.monotonic() + _TOLD_EVERY
        return _LOOK_EVERY if settled else _AGAIN_AFTER
