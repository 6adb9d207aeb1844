"""PostgreSQL refuses to run as root. Started by root, it runs as somebody who owns nothing else of ours."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from config.supervisor.stops import CannotStart

PREFERRED = ("policylayer", "postgres", "nobody")


class Identity(TypedDict, total=False):
    """What `subprocess` takes to start somebody else's process."""

    user: int
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    def may_enter(self, folder: Path) -> bool:
        """Whether this account can walk from the root down to and into `folder`."""
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
    """None: as ourselves. A cluster that exists keeps its owner, whoever was preferred since."""
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
