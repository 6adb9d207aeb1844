"""Follows the control plane: hears of new revisions, fetches and applies what changed, and acks or nacks it.

Two polls run side by side, a long poll for speed and a plain one that trusts nothing, so that each sees what
the other missed. All of this runs for ever; a control plane that cannot be reached only makes it wait.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.config_store import ConfigStore
from gateway.control_plane import ControlPlaneError, NotReachedYet, TokenRefused
from gateway_config.wire.messages import Ack, Head, HeadsAnswer, Hello, HelloAnswer, SignedBundle

_log: Final = logging.getLogger(__name__)

_FETCHED_AT_ONCE: Final = 8
# Revisions are numbered before they are committed, so one may still appear below a cursor that passed it.
_LOOKED_BACK: Final = 200


class Control(Protocol):
    async def hello(self, hello: Hello) -> HelloAnswer: ...

    async def heads(self, cursor: int, wait: int) -> HeadsAnswer: ...

    async def bundle(self, organization: str) -> SignedBundle: ...

    async def grants(self, organization: str, digest: str) -> bytes: ...

    async def acks(self, acks: list[Ack]) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds."""

    heartbeat: float = 5.0
    long_poll: int = 25
    plain_poll: float = 3.0
    every_head: float = 60.0
    rejected_again: float = 60.0
    first_pause: float = 0.2
    longest_pause: float = 2.0


class ConfigFeed:
    def __init__(
        self,
        control: Control,
        store: ConfigStore,
        *,
        version: str,
        pace: Pace | None = None,
        trouble: Callable[[], str] = str,
    ) -> None:
        self._control = control
        self._store = store
        self._version = version
        self._trouble_here = trouble
        self._pace = pace or Pace()
        self._cursor = 0
        self._every_head_at = 0.0
        self._heads: dict[str, Head] = {}
        self._rejected: dict[str, tuple[Ack, float]] = {}
        self._told: dict[str, dict[str, int]] = {"applied": {}, "rejected": {}}
        self._work = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self._say_hello, self._pace.heartbeat))
            tasks.create_task(self._for_ever(self._poll_long, 0))
            tasks.create_task(self._for_ever(self._poll_plainly, self._pace.plain_poll))
            tasks.create_task(self._for_ever(self._catch_up, 0))

    async def _for_ever(self, step: Callable[[], Awaitable[None]], rest: float) -> None:
        pause = self._pace.first_pause
        while True:
            try:
                await step()
            except Exception as error:
                self._note_trouble(error)
                await _rest(pause)
                pause = min(2 * pause, self._pace.longest_pause)
            else:
                pause = self._pace.first_pause
                await _rest(rest)

    async def _say_hello(self) -> None:
        await self._control.hello(Hello(self._version, self._store.high_water(), self._trouble_here()))

    async def _poll_long(self) -> None:
        began = time.monotonic()
        answer = await self._control.heads(self._cursor, self._pace.long_poll)
        moved = answer.cursor != self._cursor
        self._cursor = answer.cursor
        await self._hear(answer)
        if not moved and time.monotonic() - began < 1:
            # It answered without waiting, or repeated the same heads: so we pause.
            await asyncio.sleep(1)

    async def _poll_plainly(self) -> None:
        full = time.monotonic() >= self._every_head_at
        answer = await self._control.heads(0 if full else max(0, self._cursor - _LOOKED_BACK), 0)
        if full:
            self._every_head_at = time.monotonic() + self._pace.every_head
            self._heads.clear()
        await self._hear(answer)

    async def _hear(self, answer: HeadsAnswer) -> None:
        if self._trouble:
            _log.info("the control plane answers again")
            self._trouble = ""
        for head in answer.heads:
            known = self._heads.get(head.organization)
            # The answers of two polls may overtake each other.
            if known is None or known.revision <= head.revision:
                self._heads[head.organization] = head
        if wanted := self._wanted():
            # A worker that started with an empty disk must ask for everything before it can tell what does
            # not exist from what it does not know yet.
            self._store.filling = self._store.filling or not self._store.enforced()
        if wanted or self._untold_applied() or self._untold_rejected():
            self._work.set()
        await self._store.contacted(self._behind(), answer.now)

    async def _catch_up(self) -> None:
        """Fetch and apply what is wanted. A bundle that cannot be fetched does not delay the others."""
        await self._work.wait()
        self._work.clear()
        wanted = self._wanted()
        failures: list[Exception] = []
        try:
            for start in range(0, len(wanted), _FETCHED_AT_ONCE):
                some = wanted[start : start + _FETCHED_AT_ONCE]
                results = await asyncio.gather(*map(self._fetch, some), return_exceptions=True)
                failures += [result for result in results if isinstance(result, Exception)]
                with suppress(Exception):  # what could not be acknowledged here is acknowledged below
                    await self._tell()
        finally:
            self._store.filling = False
        await self._tell()
        if failures:
            self._work.set()
            raise failures[0]

    async def _fetch(self, head: Head) -> None:
        signed = await self._control.bundle(head.organization)
        missing = await self._store.missing_parts(signed)
        parts = [await self._control.grants(head.organization, digest) for digest in missing]
        ack = await self._store.apply(signed, parts)
        self._store.still_behind(self._behind())
        if ack.state == "rejected":
            self._rejected[head.organization] = (ack, time.monotonic())
        else:
            self._rejected.pop(head.organization, None)

    async def _tell(self) -> None:
        # Sent apart: of two acks for one organization in one message, only the later would count.
        for acks in (self._untold_applied(), self._untold_rejected()):
            if acks:
                await self._control.acks(acks)
                self._told[acks[0].state].update((ack.organization, ack.revision) for ack in acks)

    def _unmatched(self) -> list[Head]:
        enforced = self._store.enforced()
        return [
            head
            for organization, head in self._heads.items()
            if organization not in enforced
            or (enforced[organization].revision, enforced[organization].hash) != (head.revision, head.hash)
        ]

    def _behind(self) -> set[str]:
        return {head.organization for head in self._unmatched()} | self._unheard_of()

    def _unheard_of(self) -> set[str]:
        """Return what the control plane no longer knows: it is served until its lease ends, and no longer."""
        return self._store.enforced().keys() - self._heads.keys()

    def _wanted(self) -> list[Head]:
        return [head for head in self._unmatched() if not self._was_just_rejected(head)]

    def _was_just_rejected(self, head: Head) -> bool:
        rejected = self._rejected.get(head.organization)
        if rejected is None or rejected[0].revision != head.revision:
            return False
        # Rejected bundles are retried from time to time: the reason may have been a full disk.
        return time.monotonic() < rejected[1] + self._pace.rejected_again

    def _untold_applied(self) -> list[Ack]:
        """Return acks for what is enforced here and was not acknowledged since this worker started."""
        told = self._told["applied"]
        return [
            Ack(organization, envelope.revision, "applied")
            for organization, envelope in self._store.enforced().items()
            if organization in self._heads and told.get(organization) != envelope.revision
        ]

    def _untold_rejected(self) -> list[Ack]:
        told = self._told["rejected"]
        return [
            ack
            for organization, (ack, _) in self._rejected.items()
            if organization in self._heads and told.get(organization) != ack.revision
        ]

    def _note_trouble(self, error: Exception) -> None:
        if isinstance(error, NotReachedYet) or str(error) == self._trouble:
            return
        self._trouble = str(error)
        match error:
            case TokenRefused():
                _log.error("%s; calls are judged by the last good configuration until its lease ends", error)
            case ControlPlaneError():
                _log.warning("%s; calls are judged by the last good configuration", error)
            case _:
                _log.error("the configuration could not be followed, and is asked for again: %r", error)


async def _rest(seconds: float) -> None:
    """Sleep with jitter, so that workers which lost the control plane together do not come back together."""
    await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311
