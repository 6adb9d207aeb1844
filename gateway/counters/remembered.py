"""What a worker remembers of its store across restarts: which one it was, how far it had come, its clock."""

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.counters.clock_watch import KnownClock

_log: Final = logging.getLogger(__name__)


class Known(msgspec.Struct, frozen=True):
    epoch: str = ""
    turn: int = 0
    clock: KnownClock | None = None


class Remembered:
    """`accounted`: the epoch of a store that this process has seen put in doubt since it first met it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written = _read(path)
        self.epoch, self._turn, self.clock = self._written.epoch, self._written.turn, self._written.clock
        self.accounted = ""

    def is_still(self, epoch: str, turn: int) -> bool:
        """True if this can be the store we knew, with all it answered for, or if we knew none."""
        return not self.epoch or (epoch == self.epoch and turn >= self._turn)

    def goes_on(self, before: int, turn: int) -> bool:
        """True if the state that a request found holds all that was answered before. It ended at `turn`."""
        if before < self._turn:
            return False
        self._turn = turn
        return True

    def know(self, epoch: str, turn: int) -> None:
        self.epoch, self._turn = epoch, turn

    def begin_at(self, turn: int) -> None:
        self._turn = turn

    def so_far(self) -> Known:
        return Known(self.epoch, self._turn, self.clock)

    def write_down(self, known: Known | None = None) -> None:
        """May run in a thread. The file may be a little behind: a loss of that much would go unnoticed."""
        known = known or self.so_far()
        if self._path is None or known == self._written:
            return
        try:
            _write_through(self._path, msgspec.json.encode(known))
        except OSError as error:
            _log.error(
                "what is known of the limiter's store cannot be written to DATA_DIR: %s", error.strerror
            )
        else:
            self._written = known


def _write_through(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _read(path: Path | None) -> Known:
    if path is None:
        return Known()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):
        return Known()
