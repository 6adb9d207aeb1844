"""Django's file cache, for what must not be forgotten early: how often someone has tried.

With many entries, Django's own deletes some at random, even those that still count: whoever makes enough of
them can try a password as often as they like. If several processes add a key at once, each believes that it
was the first. And a counter that is incremented lasts five minutes, whatever its timeout was.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache

# Some 400 MB of disk. Only beyond that are entries deleted early.
_MOST: Final = 100_000
_LOOK_SECONDS: Final = 30.0


class KeptFiles(FileBasedCache):
    _dir: str
    _createdir: Callable[[], None]
    _key_to_file: Callable[[str, int | None], str]
    _list_cache_files: Callable[[], list[str]]
    _is_expired: Callable[[IO[bytes]], bool]

    def __init__(self, location: str | Path, params: dict[str, Any]) -> None:
        super().__init__(str(location), {**params, "OPTIONS": {"MAX_ENTRIES": _MOST}})
        self._looked = 0.0

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        with self._turn():
            return bool(super().add(key, value, timeout, version))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Keeps the time at which the counter expires."""
        with self._turn():
            value = self.get(key, version=version)
            if value is None:
                raise ValueError(f"there is no counter {key!r}")
            try:
                with Path(self._key_to_file(key, version)).open("rb") as entry:
                    ends = pickle.load(entry)  # noqa: S301 - a file of ours
            except FileNotFoundError:  # expired since it was read, and deleted by another reader
                raise ValueError(f"there is no counter {key!r}") from None
            self.set(key, value + delta, None if ends is None else max(ends - time.time(), 0), version)
            return int(value) + delta

    def _cull(self) -> None:
        """Runs seldom, for it looks at every entry; deletes those that have expired."""
        if time.monotonic() < self._looked + _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for name in self._list_cache_files():
            with suppress(OSError), Path(name).open("rb") as entry:
                self._is_expired(entry)
        super()._cull()  # type: ignore[misc]  # its stubs know the public half alone

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One thread of one process at a time. A process that dies releases the lock."""
        self._createdir()
        file = os.open(Path(self._dir) / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)
