"""A number of places for each owner, shared by the processes of one machine.

A place is held by a lock on one byte of a file: when a process ends, however it ends, the system releases
what it held. The file itself stays empty.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from pathlib import Path
from typing import Final
from uuid import UUID

MOST: Final = 1 << 8


class Places:
    def __init__(self, file: Path) -> None:
        self._file = file
        # A place may be given back whenever the garbage collector runs, even while another is being taken.
        self._turn = threading.RLock()
        self._mine: set[int] = set()
        self._open: tuple[int, int] | None = None

    def take(self, owner: UUID, most: int) -> int | None:
        """One of the owner's first `most` places, to be given back; None if all are taken."""
        assert most <= MOST
        with self._turn:
            file, first = self._opened(), _first(owner)
            for place in range(first, first + most):
                # The lock belongs to the process, which would be given its own lock again.
                if place not in self._mine and _locked(file, place):
                    self._mine.add(place)
                    return place
        return None

    def give_back(self, place: int) -> None:
        """May be repeated, as long as nobody else has taken the place."""
        with self._turn:
            if place in self._mine:
                fcntl.lockf(self._opened(), fcntl.LOCK_UN, 1, place)
                self._mine.discard(place)

    def held(self, owner: UUID) -> int:
        """How many of the owner's places this process holds."""
        with self._turn:
            first = _first(owner)
            return sum(first <= place < first + MOST for place in self._mine)

    def _opened(self) -> int:
        # Never closed: that would release all locks. A fork opens its own: what it inherits is its parent's.
        if self._open is None or self._open[0] != os.getpid():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._mine.clear()
            self._open = os.getpid(), os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._open[1]


def _first(owner: UUID) -> int:
    return int.from_bytes(hashlib.blake2b(owner.bytes, digest_size=6).digest(), "big") * MOST


def _locked(file: int, place: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True
