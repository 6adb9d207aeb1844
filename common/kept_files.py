"""Django's cache of files, for what must not be forgotten early: how often somebody tried.

Where there are many entries, Django's own throws some away at random, those that still count among them: who
makes enough of them tries a password as often as they like. Of several that begin one at once, each believes
it was the first; and what is counted up is over in five minutes, whenever it should be.
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

# Some 400 MB of disk. Only beyond that something goes before its time.
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
        """It ends when it would have ended."""
        with self._turn():
            value = self.get(key, version=version)
            if value is None:
                raise ValueError(f"there is no counter {key!r}")
            try:
                with Path(self._key_to_file(key, version)).open("rb") as entry:
                    ends = pickle.load(entry)  # noqa: S301 - a file of ours
            except FileNotFoundError:  # over since it was read, and whoever looked then took it away
                raise ValueError(f"there is no counter {key!r}") from None
            self.set(key, value + delta, None if ends is None else max(ends - time.time(), 0), version)
            return int(value) + delta

    def _cull(self) -> None:
        """Seldom, for it looks at every entry: what is over goes."""
        if time.monotonic() < self._looked + _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for name in self._list_cache_files():
            with suppress(OSError), Path(name).open("rb") as entry:
                self._is_expired(entry)
        super()._cull()  # type: ignore[misc]  # its stubs know the public half alone

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One thread of one process at a time. A process that dies lets go of the file."""
        self._createdir()
        file = os.open(Path(self._dir) / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)
