"""Chooses the account for PostgreSQL, which refuses to run as root: one that owns nothing else of ours."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from config.supervisor.stops import CannotStart

PREFERRED = ("policylayer", "postgres", "nobody")


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that start a process as another user."""

    user: int
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    def may_enter(self, folder: Path) -> bool:
        """Return whether this account can enter `folder` and every folder above it."""
        folder = folder.resolve()
        return all(self._may_pass(part) for part in (folder, *folder.parents) if part.exists())

    def own(self, path: Path, mode: int) -> None:
        os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def _may_pass(self, folder: Path) -> bool:
        known = folder.stat()
        if known.st_uid == self.uid:
            return bool(known.st_mode & stat.S_IXUSR)
        if known.st_gid == self.gid:
            return bool(known.st_mode & stat.S_IXGRP)
        return bool(known.st_mode & stat.S_IXOTH)


def identity(account: Account | None) -> Identity:
    return {"user": account.uid, "group": account.gid, "extra_groups": ()} if account else {}


def account_for(existing: Path) -> Account | None:
    """Return the account, or None to run as the current user. An existing cluster keeps its owner, even if
    another account is preferred now."""
    if os.geteuid() != 0:
        return None
    if existing.exists() and existing.stat().st_uid != 0:
        owner = existing.stat()
        return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        "PostgreSQL cannot run as root, and this machine has no `nobody`: start this as an ordinary user."
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
