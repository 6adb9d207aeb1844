"""The charges of all counters in one SQLite file, shared by every worker of this machine. Synchronous.

Exactness: every reservation is judged and made inside BEGIN IMMEDIATE, one at a time. A killed process loses
nothing: what it committed is in the WAL file, in the kernel's hands. A machine that goes down before its
workers have closed the file may lose the last commits (synchronous=NORMAL).

The state is in doubt after that; if the file is not the one a worker knew (by its epoch), or is an older
copy of it; and, for a new file, until the control plane says that there was never another. Then every limit
is unavailable for its own window, counted from that moment, and exact again afterwards.
"""

import logging
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.counters.charging import Batch, FullFamilies
from gateway.counters.clock import Clock
from gateway.counters.remembered import Remembered

_log: Final = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, boot TEXT NOT NULL,
    base_ms INTEGER NOT NULL, high_ms INTEGER NOT NULL, high_wall_ms INTEGER NOT NULL, doubt_ms INTEGER);
CREATE TABLE IF NOT EXISTS born (doubt_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS attached (worker TEXT PRIMARY KEY, boot TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS family (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, keys INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS counter (
    id INTEGER PRIMARY KEY, family INTEGER NOT NULL, key TEXT NOT NULL, last_ms INTEGER NOT NULL,
    serial INTEGER NOT NULL, units INTEGER NOT NULL, micros INTEGER NOT NULL,
    kept INTEGER NOT NULL, merge_at INTEGER NOT NULL, UNIQUE (family, key));
CREATE INDEX IF NOT EXISTS counter_live ON counter (family, last_ms) WHERE key != '';
CREATE TABLE IF NOT EXISTS charge (
    counter INTEGER NOT NULL, at INTEGER NOT NULL, serial INTEGER NOT NULL,
    units INTEGER NOT NULL, micros INTEGER NOT NULL, PRIMARY KEY (counter, at, serial)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservation (
    id INTEGER PRIMARY KEY, decision TEXT NOT NULL, counter INTEGER NOT NULL, at INTEGER NOT NULL,
    serial INTEGER NOT NULL, units INTEGER NOT NULL, micros INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS reservation_decision ON reservation (decision);
CREATE TABLE IF NOT EXISTS held (
    id INTEGER PRIMARY KEY, decision TEXT NOT NULL, counter INTEGER NOT NULL, until INTEGER NOT NULL,
    micros INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS held_decision ON held (decision);
CREATE INDEX IF NOT EXISTS held_counter ON held (counter, until, micros);
CREATE INDEX IF NOT EXISTS held_until ON held (until);
CREATE TABLE IF NOT EXISTS late (
    counter INTEGER PRIMARY KEY, ms INTEGER NOT NULL, was_ms INTEGER NOT NULL, since INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS spent (ticket TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_until ON spent (until);
"""
_STEP_MS: Final = 1_000


class LockTaken(Exception):  # noqa: N818
    """Another process holds the file; nothing was done."""


class Ledger:
    """Used by one thread at a time. Raises sqlite3.Error if anything is wrong with the file."""

    def __init__(self, path: Path, *, worker: str, clock: Clock, known: Remembered) -> None:
        self._clock = clock
        self._worker = worker
        self._known = known
        self._path = path
        self._full_families: FullFamilies = {}
        self._db = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            self._open()
            self._inode = _inode(path)
        except BaseException:
            self._db.close()
            raise

    def is_the_file(self) -> bool:
        """False if the file was deleted or replaced under us: this must then be closed and reopened."""
        return _inode(self._path) == self._inode

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Commits everything done inside together at the end, or nothing. After LockTaken, try again."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise LockTaken from None
            raise
        try:
            now, doubt, high = self._now()
            batch = Batch(self._db, now, doubt, self._full_families)
            yield batch
            batch.write_down()
            if batch.charged:
                self._db.execute(
                    "UPDATE meta SET high_ms = ?, high_wall_ms = ?", (batch.now, self._clock.wall_ms())
                )
            self._db.execute("COMMIT")
            self._known.begin_at(batch.now if batch.charged else high)
        except BaseException:
            self._full_families.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Writes everything to the disk itself: a machine switched off after this loses nothing."""
        try:
            self._db.execute("PRAGMA busy_timeout=1000").fetchall()
            self._db.execute("PRAGMA synchronous=FULL")
            self._note_the_time()
            self._db.execute("DELETE FROM attached WHERE worker = ?", (self._worker,))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._db.close()

    def _note_the_time(self) -> None:
        """Notes the wall clock, to tell after the next boot how long it took. It may have been set before."""
        self._db.execute(
            "UPDATE meta SET high_ms = MAX(high_ms, ?), high_wall_ms = ?",
            (self._time()[0], self._clock.wall_ms()),
        )

    def abandon(self) -> None:
        self._db.close()

    def _open(self) -> None:
        # A charge changes a few scattered rows: with small pages there is little to write.
        self._db.execute("PRAGMA page_size=1024")
        self._db.execute("PRAGMA journal_mode=WAL").fetchall()
        self._db.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        # FULL for facts about the file itself; charges are committed without waiting for the disk.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        born = self._db.execute(
            "INSERT OR IGNORE INTO meta VALUES (1, ?, '', 0, 0, 0, NULL)", (secrets.token_hex(16),)
        )
        epoch, high, in_doubt = self._begin(born.rowcount > 0)
        self._db.execute("INSERT OR REPLACE INTO attached VALUES (?, ?)", (self._worker, self._clock.boot()))
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA busy_timeout=0").fetchall()
        self._known.know(epoch, high)
        if in_doubt:
            self._known.accounted = epoch
        self._known.write_down()

    def _begin(self, born: bool) -> tuple[str, int, bool]:
        """The file's epoch, how far it had come, and whether it is in doubt from now on."""
        epoch, high = self._db.execute("SELECT epoch, high_ms FROM meta").fetchone()
        lost = self._begin_boot() or not self._known.is_still(epoch, high)
        if born or lost:
            now = self._time()[0]
            self._put_in_doubt(now)
            if not lost:
                self._db.execute("INSERT INTO born VALUES (?)", (now,))
        return epoch, high, born or lost

    def _begin_boot(self) -> bool:
        """True if this is another boot and the previous one may have lost commits."""
        boot, high, high_wall = self._db.execute("SELECT boot, high_ms, high_wall_ms FROM meta").fetchone()
        lost = False
        if boot != self._clock.boot():
            wall = self._clock.wall_ms()
            now = high + max(0, wall - high_wall) if boot else wall
            self._db.execute(
                "UPDATE meta SET boot = ?, base_ms = ?",
                (self._clock.boot(), now - self._clock.monotonic_ms()),
            )
            left_open = self._db.execute("DELETE FROM attached WHERE boot != ?", (self._clock.boot(),))
            lost = left_open.rowcount > 0
        return lost

    def _now(self) -> tuple[int, int | None, int]:
        """The result of `_time`, after putting the store in doubt if there is cause."""
        now, doubt, high, ahead = self._time()
        if not self._known.goes_on(high, high):
            _log.error("the limiter's file has lost charges that it had confirmed")
            doubt = self._put_in_doubt(now)
        elif ahead and (doubt is None or doubt < high):
            # Some worker's clock ran ahead: what it thought had left its window may still count.
            doubt = self._put_in_doubt(high)
        return now, doubt, high

    def _time(self) -> tuple[int, int | None, int, bool]:
        """The store's time, since when it is in doubt, how far it had come, whether that is ahead of us."""
        boot, base, high, doubt = self._db.execute(
            "SELECT boot, base_ms, high_ms, doubt_ms FROM meta"
        ).fetchone()
        mine = int(base) + self._clock.monotonic_ms()
        if boot != self._clock.boot():
            raise sqlite3.DatabaseError("another boot of this machine writes the limiter's file")
        return max(mine, high), doubt, high, high > mine + _STEP_MS

    def _put_in_doubt(self, since: int) -> int:
        self._db.execute("UPDATE meta SET doubt_ms = ?", (since,))
        self._db.execute("DELETE FROM born")
        return since


def _inode(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_dev, status.st_ino)
