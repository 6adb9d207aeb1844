"""Starts the processes that serve the site; containers run `python -m config.supervisor.site`."""

import argparse
import os
import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from config import env

# Each has its own memory and database connections; whoever wants more processes sets WEB_PROCESSES.
MOST_UNASKED: Final = 4
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="config.supervisor.site", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=str(env.port("PORT")))
    given = parser.parse_args(arguments)
    _check_data_dir(Path(env.text("DATA_DIR")).absolute())
    # Replaces this process, so that whatever stops it stops them.
    os.execv(sys.executable, [sys.executable, "-m", *granian(given.host, given.port, web_processes())])  # noqa: S606


def _check_data_dir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as problem:
        raise env.EnvironmentInvalid(
            f"DATA_DIR is {folder}, where nothing can be written ({problem.strerror}). The site counts"
            f" requests and failed sign-ins there: set it to a folder that this user can write to."
        ) from None


def granian(host: str, port: int | str, processes: int) -> list[str]:
    served = ["--interface", "asginl", "--host", host, "--port", str(port), "--workers", str(processes)]
    if processes > 1:
        # Otherwise one that dies takes the others, and with them the site, away for seconds.
        served.append("--respawn-failed-workers")
    return ["granian", *served, "--no-ws", "--log-level", "warning", "config.asgi:application"]


def web_processes() -> int:
    return env.integer("WEB_PROCESSES", most=64) or min(_cores(), MOST_UNASKED)


def _cores() -> int:
    """Return how many cores may be used: a container sees all of its machine's, but may be given fewer."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(min(usable, ceil(int(quota) / int(period))), 1)
    except (OSError, ValueError):
        return usable  # there is no quota, or it is "max"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except env.EnvironmentInvalid as problem:
        sys.exit(str(problem))
