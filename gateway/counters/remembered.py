"""What a worker knows of its store beyond its own life: which one it was, and how far it had come."""

import json
import logging
import os
from pathlib import Path
from typing import Final

_log: Final = logging.getLogger(__name__)


class Remembered:
    """`accounted`: the epoch of a store that this process saw put in doubt since it first met it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.epoch, self._turn = _read(path)
        self._written = (self.epoch, self._turn)
        self.accounted = ""

    def is_still(self, epoch: str, turn: int) -> bool:
        """Whether this can be the store we knew, with all it answered for; true where we knew none."""
        return not self.epoch or (epoch == self.epoch and turn >= self._turn)

    def goes_on(self, before: int, turn: int) -> bool:
        """Whether what a request found holds all that was answered before; it ended at `turn`."""
        if before < self._turn:
            return False
        self._turn = turn
        return True

    def know(self, epoch: str, turn: int) -> None:
        self.epoch, self._turn = epoch, turn

    def begin_at(self, turn: int) -> None:
        self._turn = turn

    def write_down(self) -> None:
        """May run in a thread. What stands there may be a little behind: that much could be lost unseen."""
        known = (self.epoch, self._turn)
        if self._path is None or known == self._written:
            return
        try:
            _write_through(self._path, json.dumps({"epoch": known[0], "turn": known[1]}))
        except OSError as error:
            _log.error("what is known of the limiter's store cannot be written down: %s", error.strerror)
        else:
            self._written = known


def _write_through(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _read(path: Path | None) -> tuple[str, int]:
    if path is None:
        return "", 0
    try:
        known = json.loads(path.read_text("ascii"))
        return str(known["epoch"]), int(known["turn"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0
