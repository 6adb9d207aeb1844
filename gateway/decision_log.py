"""Every call's record: in a file of this machine before the call goes on, at the control plane soon after."""

import asyncio
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from gateway.counters.clock import SystemClock
from gateway.spool import Batch, Spool, sync
from gateway_config.wire.messages import BatchAnswer, Written

_log: Final = logging.getLogger(__name__)

MAX_BYTES: Final = 512 * 1024 * 1024
_BATCH_RECORDS: Final = 2_000
_BATCH_BYTES: Final = 2 * 1024 * 1024
# How long a batch waits for more, so that records of calls that come together travel together.
_LINGER: Final = 0.1
_LONGEST_LINGER: Final = 0.5
_MANY: Final = 50
_SYNC_EVERY: Final = 1.0
# An idle gateway learns by itself that its disk is full, and that there is room again.
_LOOK_EVERY: Final = 5.0
_REMEMBERED: Final = 2 * _LOOK_EVERY
# For want of room, only calls are refused, and seldom ones too are to be heard of.
_REFUSED_LATELY: Final = 60.0
# How a call ended is written together with other calls' decisions if any come within this time.
_SOON: Final = 0.002
_WRITE_AGAIN: Final = 0.25
_MOST_LATER: Final = 10_000
_SHARE_OF_FREE: Final = 3
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 15.0


Trouble: TypeAlias = Literal["", "disk", "backlog"]


class SendRecords(Protocol):
    async def __call__(self, body: bytes) -> BatchAnswer:
        """Post a RecordBatch as JSON. May raise anything: the batch is then sent again."""


class DecisionLog:
    """`folder` is this worker's alone. Sequences only rise within a spool; a spool's name is never reused."""

    def __init__(
        self, folder: Path, *, worker: str, max_bytes: int = MAX_BYTES, boot: str | None = None
    ) -> None:
        self._worker = worker
        self._max_bytes = max_bytes
        self._spool, self._earlier = Spool.of_this_boot(folder, boot or SystemClock().boot())
        self._encoder = msgspec.json.Encoder()
        self._loop = asyncio.get_running_loop()
        self._later: list[Written] = []
        self._again: asyncio.Handle | None = None
        self._more = asyncio.Event()
        self._more.set()
        self._closed = False
        self._complained_at = float("-inf")
        self._failed_at = float("-inf")
        self._refused_at = float("-inf")

    @property
    def worker(self) -> str:
        """The name that makes this spool's sequences unique among all workers and all their spools."""
        return self._name(self._spool)

    @property
    def length(self) -> int:
        """How many records the control plane does not have yet."""
        return sum(spool.length for spool in (*self._earlier, self._spool))

    def trouble(self) -> Trouble:
        """Why records could not be written lately, so that calls were denied; empty: they could."""
        if self._stuck() or self._loop.time() - self._failed_at < _REMEMBERED:
            return "disk"
        lately = self._loop.time() - self._refused_at < _REFUSED_LATELY
        # Before that, not even an organization that is alone is refused.
        tight = (1 + _SHARE_OF_FREE) * self._free() < self._max_bytes
        return "backlog" if lately and tight else ""

    def append_all(self, entries: Sequence[Written]) -> Sequence[bool]:
        """Write all that find room at once; return, for each entry, whether it now outlives this process."""
        together = [*self._later, *entries]
        lines = self._encoded(together)
        wanted = len(lines)
        if self._is_tight(wanted) and any(
            self._problem(owner, wanted) for owner in {entry.organization for entry in entries}
        ):
            return self._append_those_with_room(entries)
        return [self._write(together, lines)] * len(entries)

    def _append_those_with_room(self, entries: Sequence[Written]) -> Sequence[bool]:
        kept: list[bool] = []
        found_room: list[Written] = []
        wanted = 0
        for entry in entries:
            size = len(self._encoder.encode(entry))
            room = self._has_room(entry.organization, wanted + size)
            kept.append(room)
            if room:
                wanted += size
                found_room.append(entry)
        together = [*self._later, *found_room]
        if found_room and not self._write(together, self._encoded(together)):
            return [False] * len(kept)
        return kept

    def append_later(self, entry: Written) -> None:
        """Write the entry with the next decisions, which saves a write, or soon if none come."""
        self._later.append(entry)
        if self._again is None:
            self._again = self._loop.call_later(_SOON, self._write_later)

    async def ship(self, send: SendRecords) -> None:
        """Send records to the control plane in order, for ever. Each is forgotten once it is stored there."""
        pause = _FIRST_PAUSE
        beside = [asyncio.create_task(each) for each in (self._keep_synced(), self._keep_looking())]
        try:
            while True:
                try:
                    await self._until_worth_sending()
                    progressed = await self._ship_once(send)
                except Exception as error:
                    _log.warning("%d records wait on this disk until they are taken: %s", self.length, error)
                    progressed = False
                pause = _FIRST_PAUSE if progressed else min(2 * pause, _LONGEST_PAUSE)
                if not progressed:
                    await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads workers, no secret
        finally:
            for task in beside:
                task.cancel()

    async def drain(self, send: SendRecords, seconds: float) -> None:
        """Try to leave nothing behind; what remains is sent after the next start."""
        self._write_later()
        try:
            async with asyncio.timeout(seconds):
                while self.length:
                    await self._ship_once(send)
        except Exception as error:
            _log.warning("%d records stay on disk until the next start: %s", self.length, error)

    def close(self) -> None:
        self._write_later()
        if self._later:
            _log.error("%d records of how calls ended are lost", len(self._later))
        if self._again is not None:
            self._again.cancel()
        self._closed = True
        for spool in (*self._earlier, self._spool):
            try:
                spool.close()
            except OSError as error:
                # What the kernel has is kept. At worst, records are sent again, and stored once.
                _log.error("records cannot be written to the disk of DATA_DIR: %s", error)

    def _complain(self, problem: str) -> None:
        if self._loop.time() - self._complained_at >= 1:
            self._complained_at = self._loop.time()
            _log.error("calls cannot be recorded in DATA_DIR and are denied, make room there: %s", problem)

    def _encoded(self, entries: Sequence[Written]) -> bytes:
        """Encode the entries as the next to be written, one per line."""
        # Frozen for everyone else; here they become records, and a record has its sequence.
        for sequence, entry in enumerate(entries, self._spool.next_sequence):
            force_setattr(entry, "sequence", sequence)
        return self._encoder.encode_lines(entries)

    def _write_later(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        later = self._later
        if not later or self._closed:
            return
        if not self._write(later, self._encoded(later)):
            # They stay queued; while too many do, no call that would add another is let through.
            _log.error("%d records of how calls ended wait to be written", len(later))
            self._again = self._loop.call_later(_WRITE_AGAIN, self._write_later)

    def _write(self, entries: Sequence[Written], lines: bytes) -> bool:
        """Write `entries`, which must begin with those queued in `_later`."""
        try:
            self._spool.append(lines, [entry.organization for entry in entries])
        except OSError as error:
            self._failed_at = self._loop.time()
            self._complain(str(error))
            return False
        if self._later:
            self._later = []
        if not self._more.is_set():
            self._more.set()
        return True

    def _has_room(self, organization: str, wanted: int) -> bool:
        problem = self._problem(organization, wanted)
        if problem is not None:
            self._refused_at = self._loop.time()
            self._complain(problem)
        return problem is None

    def _is_tight(self, wanted: int) -> bool:
        """Return whether any organization might not find room."""
        free, size = self._free(), self._spool.size
        return self._stuck() or wanted > free or size > _SHARE_OF_FREE * free

    def _problem(self, organization: str, wanted: int) -> str | None:
        if self._stuck():
            return "too many records wait to be written"
        free = self._free()
        if wanted > free:
            return f"the spool holds {self._max_bytes - free} bytes of at most {self._max_bytes}"
        # However much one organization records, the others find room.
        if self._spool.held_by(organization) > _SHARE_OF_FREE * free:
            return f"organization {organization} has too many records waiting"
        return None

    def _stuck(self) -> bool:
        return self._closed or len(self._later) > _MOST_LATER

    def _free(self) -> int:
        free = self._max_bytes - self._spool.size
        for earlier in self._earlier:
            free -= earlier.size
        return free

    async def _ship_once(self, send: SendRecords) -> bool:
        spool = self._earlier[0] if self._earlier else self._spool
        batch = spool.recent(_BATCH_RECORDS, _BATCH_BYTES)
        if batch is None:
            batch = await asyncio.to_thread(spool.read, _BATCH_RECORDS, _BATCH_BYTES)
        if batch is None:
            self._let_go_of_earlier(spool)
            return True
        # Joining megabytes on the event loop would hold up everyone.
        answer = await send(await asyncio.to_thread(_body, self._name(spool), batch))
        spool.forget(min(answer.through, batch.last))
        return answer.through >= batch.first

    def _let_go_of_earlier(self, spool: Spool) -> None:
        if spool is not self._spool:
            self._earlier.remove(spool)
            spool.remove()

    async def _until_worth_sending(self) -> None:
        """A batch costs as much as many calls, so when calls come fast, fewer and fuller ones are sent."""
        spool = self._spool
        if self._earlier or spool.length >= _BATCH_RECORDS:
            return
        self._more.clear()
        if not spool.length:
            await self._more.wait()
        await asyncio.sleep(_LINGER)
        until = self._loop.time() + _LONGEST_LINGER
        while _MANY < spool.length < _BATCH_RECORDS and self._loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(_LINGER)

    async def _keep_synced(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_EVERY)
            try:
                await asyncio.to_thread(sync, self._spool.unsynced())
                await asyncio.to_thread(self._spool.remember_shipped)
            except OSError as error:
                _log.error("records cannot be written to the disk of DATA_DIR: %s", error)

    async def _keep_looking(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._spool.try_disk)
            except OSError as error:
                self._failed_at = self._loop.time()
                self._complain(str(error))
            await asyncio.sleep(_LOOK_EVERY)

    def _name(self, spool: Spool) -> str:
        return f"{self._worker}.{spool.id}"


def _body(worker: str, batch: Batch) -> bytes:
    # The records are already JSON: join them instead of decoding and encoding them again.
    records = [piece.replace(b"\n", b",\n") for piece in batch.pieces]
    records[-1] = records[-1].removesuffix(b",\n")
    return b"".join((b'{"worker":', msgspec.json.encode(worker), b',"records":[', *records, b"]}"))
