"""What a worker knows of its store beyond its own life: which one it was, and how far it had come."""

import json
import os
from pathlib import Path


class Remembered:
    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.epoch, self._turn = _read(path)
        self._written = (self.epoch, self._turn)

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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="ascii") as file:
            json.dump({"epoch": known[0], "turn": known[1]}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self._written = known


def _read(path: Path | None) -> tuple[str, int]:
    if path is None:
        return "", 0
    try:
        known = json.loads(path.read_text("ascii"))
        return str(known["epoch"]), int(known["turn"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0
