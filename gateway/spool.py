"""Keeps records on this machine's disk until the control plane has them.

A spool is a folder of segments: files of frames, each named by the sequence of its first record. A frame is a
length, a checksum and the records that were written together, one per line. Once `append` has returned, they
are in the kernel's hands and survive any kill of the process. A machine that goes down may lose the last
moments, so each boot begins a spool of its own: no sequence of a spool ever means two different records.
"""

import logging
import os
import secrets
import struct
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

_log: Final = logging.getLogger(__name__)

_FRAME: Final = struct.Struct(">II")
_SEGMENT: Final = ".records"
_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_SHIPPED_SEGMENT_BYTES: Final = 256 * 1024
_TRIED_BYTES: Final = 4 * 1024
# The latest records are kept in memory too, so that they need not be read back if they are shipped soon.
_RECENT_BYTES: Final = 4 * 1024 * 1024
# A new folder after a lost one begins at a later sequence, even where only the worker's name is looked at.
_SEQUENCES_A_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded records in order, one per line, with the sequences from `first` to `last`. They are in pieces
    of whole lines, because joining them takes long."""

    first: int
    last: int
    pieces: tuple[bytes, ...]


class _Recent(NamedTuple):
    """Records that were written together."""

    first: int
    last: int
    lines: bytes


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    size: int
    owners: Counter[str] = field(default_factory=Counter)
    """Bytes per organization, counting only what this process wrote."""


class Spool:
    """One folder, written by one process. Only read(), remember_shipped() and try_disk() may run in another
    thread."""

    def __init__(self, folder: Path, *, boot: str) -> None:
        self.id = folder.name
        self._folder = folder
        if not folder.exists():
            folder.mkdir(parents=True)
            _write_text(folder / "boot", boot)
        self._segments = [
            _Segment(path, int(path.stem), path.stat().st_size)
            for path in sorted(folder.glob(f"*{_SEGMENT}"))
        ]
        if not self._segments:
            os.close(self._begin_segment(int(time.time()) * _SEQUENCES_A_SECOND))
        self._shipped = max(self._read_shipped(), self._segments[0].first - 1)
        self._remembered = self._shipped
        self._remembering = threading.Lock()
        self.next_sequence = self._mend_last()
        if self.next_sequence <= self._shipped:
            self.next_sequence = self._shipped + 1
            os.close(self._begin_segment(self.next_sequence))
        self._written = os.open(self._segments[-1].path, os.O_WRONLY | os.O_APPEND)
        self._position = (self._segments[0].first, 0)
        self._retired: list[int] = []
        self._synced = True
        self._size = sum(segment.size for segment in self._segments)
        self._owners: Counter[str] = Counter()
        self._recent: deque[_Recent] = deque()
        """The newest records, up to the last one written."""
        self._recent_bytes = 0

    @classmethod
    def of_this_boot(cls, folder: Path, boot: str) -> tuple["Spool", list["Spool"]]:
        """Return the spool to write to, and those of earlier boots that still hold records."""
        earlier: list[Spool] = []
        current: Spool | None = None
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if not path.is_dir():
                continue
            its_boot = _read_text(path / "boot")
            found = cls(path, boot=its_boot)
            if its_boot == boot and current is None:
                current = found
            elif found.length:
                earlier.append(found)
            else:
                found.remove()
        return current or cls(folder / secrets.token_hex(8), boot=boot), earlier

    @property
    def size(self) -> int:
        return self._size

    def held_by(self, organization: str) -> int:
        """How many bytes here are an organization's, counting only what this process wrote."""
        return self._owners[organization]

    @property
    def length(self) -> int:
        """How many records wait to be shipped."""
        return self.next_sequence - 1 - self._shipped

    def append(self, lines: bytes, owners: Sequence[str]) -> None:
        """Write all of the records, one per line, or none; `owners` says whose each is. Raises OSError.

        The first record gets `next_sequence`.
        """
        active = self._segments[-1]
        if active.size >= _SEGMENT_BYTES:
            active = self._rotate()
        written = _FRAME.pack(len(lines), zlib.crc32(lines)) + lines
        size = len(written)
        try:
            if os.write(self._written, written) != size:
                raise OSError(28, "only a part was written")
        except OSError:
            # Nothing after a torn frame would ever be read.
            os.ftruncate(self._written, active.size)
            raise
        active.size += size
        self._size += size
        for owner, its_size in _by_owner(owners, lines, size):
            active.owners[owner] += its_size
            self._owners[owner] += its_size
        first = self.next_sequence
        self.next_sequence = first + len(owners)
        self._recent.append(_Recent(first, self.next_sequence - 1, lines))
        self._recent_bytes += len(lines)
        while self._recent_bytes > _RECENT_BYTES:
            self._forget_oldest()
        self._synced = False

    def recent(self, most: int, most_bytes: int) -> Batch | None:
        """What read() would give, as far as it is still in memory; None if it has to be read."""
        while self._recent and self._recent[0].last <= self._shipped:
            self._forget_oldest()
        if not self._recent or self._recent[0].first != self._shipped + 1:
            return None
        last, together = self._shipped, list[bytes]()
        for some in self._recent:
            most_bytes -= len(some.lines)
            if some.last - self._shipped > most or most_bytes < 0:
                break
            last = some.last
            together.append(some.lines)
        return Batch(self._shipped + 1, last, tuple(together)) if together else None

    def _forget_oldest(self) -> None:
        self._recent_bytes -= len(self._recent.popleft().lines)

    def read(self, most: int, most_bytes: int) -> Batch | None:
        """The oldest records that wait, without removing them."""
        wanted = self._shipped + 1
        segment = self._segment_of(wanted)
        if segment is None:
            return None
        sequence, offset = self._position
        if not segment.first <= sequence <= wanted:
            sequence, offset = segment.first, 0
        records: list[bytes] = []
        with segment.path.open("rb") as file:
            file.seek(offset)
            for lines in _frames(file.read(segment.size - offset)):
                together = lines.splitlines()
                if not records and sequence + len(together) <= wanted:
                    sequence += len(together)
                    offset += _FRAME.size + len(lines)
                    continue
                if len(records) >= most or (records and len(lines) > most_bytes):
                    break
                most_bytes -= len(lines)
                records += together if records else together[wanted - sequence :]
        self._position = (sequence, offset)
        if not records:
            self._pass_over(segment, sequence)
            return self.read(most, most_bytes)
        records = records[:most]
        return Batch(wanted, wanted + len(records) - 1, tuple(record + b"\n" for record in records))

    def forget(self, through: int) -> None:
        """Drop everything up to and including `through`, which is safe elsewhere."""
        self._shipped = max(self._shipped, min(through, self.next_sequence - 1))
        if self.length == 0 and self._segments[-1].size >= _SHIPPED_SEGMENT_BYTES:
            self._rotate()
        while len(self._segments) > 1 and self._segments[1].first <= self._shipped + 1:
            self._drop(self._segments.pop(0))

    def remember_shipped(self) -> None:
        """Write down how far was shipped, in any thread. It may lag: what is shipped twice is stored once."""
        with self._remembering:
            shipped = self._shipped
            if shipped != self._remembered:
                _write_text(self._folder / "shipped", str(shipped))
                self._remembered = shipped

    def _drop(self, segment: _Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._size -= segment.size
        self._owners -= segment.owners  # also drops owners with nothing left

    def try_disk(self) -> None:
        """Raises OSError if the disk takes nothing, in any thread."""
        tried = self._folder / "tried"
        try:
            tried.write_bytes(bytes(_TRIED_BYTES))
        finally:
            tried.unlink(missing_ok=True)

    def unsynced(self) -> list[int]:
        """Return descriptors of what may not be on the disk itself yet; the caller closes them."""
        descriptors, self._retired = self._retired, []
        if not self._synced:
            self._synced = True
            descriptors.append(os.dup(self._written))
        return descriptors

    def close(self) -> None:
        """Raises OSError if the disk does not take what is left to write; it is closed all the same."""
        try:
            self.remember_shipped()
            sync(self.unsynced())
        finally:
            os.close(self._written)

    def remove(self) -> None:
        self.close()
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _segment_of(self, sequence: int) -> _Segment | None:
        if sequence >= self.next_sequence:
            return None
        return next(segment for segment in reversed(self._segments) if segment.first <= sequence)

    def _pass_over(self, segment: _Segment, sequence: int) -> None:
        """Skip the rest of a damaged segment: what follows the damage cannot be read, later segments can."""
        later = self._segments[self._segments.index(segment) + 1 :]
        goes_on = later[0].first if later else self.next_sequence
        _log.error("%s: %d records after %d cannot be read", segment.path, goes_on - sequence, sequence - 1)
        self._shipped = goes_on - 1

    def _begin_segment(self, first: int) -> int:
        """Return the new segment's descriptor. Raises OSError, and then nothing has changed."""
        path = self._folder / f"{first:020d}{_SEGMENT}"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        self._segments.append(_Segment(path, first, 0))
        return descriptor

    def _rotate(self) -> _Segment:
        descriptor = self._begin_segment(self.next_sequence)
        self._retired.append(self._written)
        self._written = descriptor
        return self._segments[-1]

    def _mend_last(self) -> int:
        """Cut off a frame that was being written when the process died: nobody was told that it was kept."""
        last = self._segments[-1]
        content = last.path.read_bytes()
        frames = list(_frames(content))
        whole = sum(_FRAME.size + len(lines) for lines in frames)
        if whole != len(content):
            _log.warning("%s: %d bytes of a record that was never finished", last.path, len(content) - whole)
            os.truncate(last.path, whole)
        last.size = whole
        return last.first + sum(len(lines.splitlines()) for lines in frames)

    def _read_shipped(self) -> int:
        text = _read_text(self._folder / "shipped")
        return int(text) if text.isdigit() else 0


def _by_owner(owners: Sequence[str], lines: bytes, size: int) -> Iterable[tuple[str, int]]:
    """How many of the bytes that were written belong to each owner."""
    if len(set(owners)) == 1:
        return ((owners[0], size),)
    sizes, begins = {owners[0]: _FRAME.size}, 0
    for owner in owners:
        ends = lines.index(b"\n", begins) + 1  # much faster than splitting the lines
        sizes[owner] = sizes.get(owner, 0) + ends - begins
        begins = ends
    return sizes.items()


def sync(descriptors: Sequence[int]) -> None:
    """Closes them all. Raises OSError if any could not be synced."""
    with ExitStack() as closing:
        for descriptor in descriptors:
            closing.callback(os.close, descriptor)
        for descriptor in descriptors:
            os.fsync(descriptor)


def _frames(content: bytes) -> Iterator[bytes]:
    """The contents of the frames, up to the end or to the first that is torn or damaged."""
    offset = 0
    while offset + _FRAME.size <= len(content):
        length, checksum = _FRAME.unpack_from(content, offset)
        lines = content[offset + _FRAME.size : offset + _FRAME.size + length]
        if len(lines) != length or zlib.crc32(lines) != checksum:
            return
        yield lines
        offset += _FRAME.size + length


def _read_text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _write_text(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, "ascii")
    beside.replace(path)
