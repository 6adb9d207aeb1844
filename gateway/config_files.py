"""The last good configurations on disk: each organization's newest three, as they were signed.

A file holds the envelope, a line feed and the body. It appears whole or not at all, and survives a crash of
the machine. Where grants are many, their parts are stored beside it by digest, each once for all revisions
that name it.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.codec import named_parts
from gateway_config.wire.grants import part_digest
from gateway_config.wire.messages import Envelope

_KEPT: Final = 3
_ORGANIZATION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUFFIX: Final = ".bundle"
_PARTS: Final = "grants"


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest revision of an organization that was ever applied, and its hash if known."""

    revision: int = 0
    hash: str = ""


class Contact(msgspec.Struct, frozen=True):
    """When the control plane was last heard from, and whose configuration was not the newest then.

    `seen`: what time it was when this was written.
    """

    at: float = 0.0
    behind: tuple[str, ...] = ()
    seen: float = 0.0


class ConfigFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def organizations(self) -> list[str]:
        return [entry.name for entry in self._folder.iterdir() if _ORGANIZATION.fullmatch(entry.name)]

    def paths(self, organization: str) -> list[Path]:
        """Return the bundles' paths, newest first. They are unverified; read_bundle() reads them."""
        return sorted(self._of(organization).glob(f"*{_SUFFIX}"), reverse=True)

    def part(self, organization: str, digest: str) -> bytes:
        try:
            return (self._of(organization) / _PARTS / digest).read_bytes()
        except OSError as error:
            raise BundleInvalid(f"a part of its grants cannot be read: {error.strerror}") from None

    def keep(
        self, envelope: Envelope, body: bytes, parts: Sequence[bytes] = (), *, alone: bool = False
    ) -> None:
        """Store a bundle. `alone`: keep nothing older to fall back to. `parts`: those not stored yet."""
        folder = self._of(envelope.organization)
        if not folder.exists():
            folder.mkdir()
            _fsync(self._folder)
        # The parts go first: the bundle names them.
        _keep_parts(folder / _PARTS, parts)
        path = folder / f"{envelope.revision:020d}{_SUFFIX}"
        _write(path, msgspec.json.encode(envelope) + b"\n" + body, through=True)
        # Not fsynced: the bundle beside it says the same, so this is needed only where bundles were lost.
        _write(folder / "high-water", f"{envelope.revision} {envelope.hash}".encode(), through=False)
        for old in self.paths(envelope.organization)[1 if alone else _KEPT :]:
            old.unlink(missing_ok=True)
        _forget_parts(folder / _PARTS, self.paths(envelope.organization))

    def mark(self, organization: str) -> Mark:
        try:
            revision, _, digest = (self._of(organization) / "high-water").read_text("ascii").partition(" ")
            return Mark(int(revision), digest)
        except (OSError, ValueError):
            return Mark()

    def contact(self) -> Contact:
        try:
            return msgspec.json.decode((self._folder / "contact").read_bytes(), type=Contact)
        except (OSError, msgspec.MsgspecError):
            return Contact()

    def remember_contact(self, contact: Contact) -> None:
        _write(self._folder / "contact", msgspec.json.encode(contact), through=False)

    def _of(self, organization: str) -> Path:
        if not _ORGANIZATION.fullmatch(organization):
            raise BundleInvalid("the organization's id is not a UUID")
        return self._folder / organization


def read_bundle(path: Path) -> tuple[Envelope, bytes]:
    try:
        head, separator, body = path.read_bytes().partition(b"\n")
        if not separator:
            raise BundleInvalid("the file was cut short")
        return msgspec.json.decode(head, type=Envelope), body
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleInvalid(f"the file cannot be read: {error}") from None


def _keep_parts(folder: Path, parts: Sequence[bytes]) -> None:
    if not parts:
        return
    folder.mkdir(exist_ok=True)
    for part in parts:
        _write(folder / part_digest(part), part, through=True)
    _fsync(folder.parent)


def _forget_parts(folder: Path, bundles: Sequence[Path]) -> None:
    """Delete parts that no readable bundle names; those of an unreadable one are fetched again if needed."""
    if not folder.exists():
        return
    named: set[str] = set()
    for path in bundles:
        try:
            named.update(named_parts(read_bundle(path)[1]))
        except BundleInvalid:
            continue
    for part in folder.iterdir():
        if part.name not in named:
            part.unlink(missing_ok=True)


def _write(path: Path, content: bytes, *, through: bool) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        if through:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)
    if through:
        _fsync(path.parent)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
