"""Counters that the processes of one machine share: a cache that only counts, in a file that all of them map.

For what is counted on every request, when a database or a separate server would cost more than the answer.
If there is no room for another counter, the smallest gives way and the new one continues from its count: a
flood of strangers makes counts too high, never too low, and takes nothing from those who ask a lot.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

_SLOTS: Final = 1 << 15
_LOOKED_AT: Final = 16
# Whose counter it is, until when (Unix seconds), and its count.
_SLOT: Final = struct.Struct("<QII")
_SIZE: Final = _SLOTS * _SLOT.size
_MOST: Final = 2**32 - 1
_CANNOT_ALLOCATE: Final = (errno.EOPNOTSUPP, errno.EINVAL)

_log = logging.getLogger(__name__)


class SharedCounters(BaseCache):
    """`add` begins a counter if there is none, `incr` counts it; nothing else is kept here."""

    def __init__(self, location: str | Path, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._file = Path(location)
        self._turn = threading.Lock()
        self._open: tuple[int, mmap.mmap] | None = None

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        mine, now = self._name(key, version), int(time.time())
        with self._table() as table:
            place, found = _find(table, mine, now)
            if not found:
                until = self.get_backend_timeout(timeout)
                ends = _MOST if until is None else int(until) + 1
                count = min(_left_at(table, place, now) + int(value), _MOST)
                _SLOT.pack_into(table, place, mine, ends, count)
        return not found

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        mine, now = self._name(key, version), int(time.time())
        with self._table() as table:
            place, found = _find(table, mine, now)
            if not found:
                raise ValueError(f"there is no counter {key!r}")
            _, until, count = _SLOT.unpack_from(table, place)
            count = min(count + delta, _MOST)
            _SLOT.pack_into(table, place, mine, until, count)
        return int(count)

    def clear(self) -> None:
        with self._table() as table:
            table[:] = bytes(_SIZE)

    def _name(self, key: str, version: int | None) -> int:
        named = hashlib.blake2b(self.make_key(key, version).encode(), digest_size=8).digest()
        # Nobody's name is 0: that marks an empty slot.
        return int.from_bytes(named, "little") or 1

    @contextmanager
    def _table(self) -> Iterator[mmap.mmap]:
        """One thread of one process at a time. A process that dies releases the lock."""
        with self._turn:
            file, table = self._opened()
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield table
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _opened(self) -> tuple[int, mmap.mmap]:
        if self._open is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._open = file, self._mapped(file)
        return self._open

    def _mapped(self, file: int) -> mmap.mmap:
        """The whole file has its place on the disk from the start: a page that finds none later would end the
        process (SIGBUS). On a disk that is full already, each process counts for itself."""
        try:
            reserve(file, _SIZE)
        except OSError as problem:
            _log.warning(
                "%s cannot be used (%s): until it is restarted, each process counts requests for itself, so"
                " more are let through; make room and restart",
                self._file,
                problem.strerror,
            )
            return mmap.mmap(-1, _SIZE)
        return mmap.mmap(file, _SIZE)


def reserve(file: int, size: int) -> None:
    """Give a file that will be mapped its place on the disk. One that is larger stays as it is."""
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as problem:
        if problem.errno not in _CANNOT_ALLOCATE:
            raise
        os.ftruncate(
            file, max(size, os.fstat(file).st_size)
        )  # this file system reserves nothing, so a full disk is a risk there


def _left_at(table: mmap.mmap, place: int, now: int) -> int:
    """The count to continue from: the new counter may be one that gave way before and comes back."""
    owner, until, count = _SLOT.unpack_from(table, place)
    return int(count) if owner and until > now else 0


def _find(table: mmap.mmap, mine: int, now: int) -> tuple[int, bool]:
    """Where the counter is; else where it may begin: in a free slot, or in place of the smallest."""
    chosen, least = 0, _MOST + 1
    for number in range(_LOOKED_AT):
        place = (mine + number) % _SLOTS * _SLOT.size
        owner, until, count = _SLOT.unpack_from(table, place)
        alive = until > now
        if owner == mine and alive:
            return place, True
        worth = count + 1 if owner and alive else 0
        if worth < least:
            chosen, least = place, worth
    return chosen, False
