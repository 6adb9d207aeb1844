"""Outlives a supervisor that was killed outright, and then stops the processes it left behind.

A separate program that uses only the standard library. It reads `add GROUP SIGNAL` and `drop GROUP` from its
standard input. The end of input means that the supervisor is gone: each process left gets its own signal, as
many seconds as the first argument says, then SIGKILL. Until then this program holds the lock of the data
folder, so that no product starts beside leftovers.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Final

_SECONDS_TO_DIE: Final = 2.0


def watch(grace_seconds: float) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        match line.split():
            case ["add", group, number]:
                groups[int(group)] = int(number)
            case ["drop", group]:
                groups.pop(int(group), None)
    _stop(groups, grace_seconds)


def _stop(groups: Mapping[int, int], grace_seconds: float) -> None:
    for group, number in reversed(list(groups.items())):
        _send(group, number, to_group=False)
    _wait_for(groups, grace_seconds)
    for group in filter(_lives, groups):
        _send(group, signal.SIGKILL, to_group=True)
    # A killed process keeps its port for a moment longer.
    _wait_for(groups, _SECONDS_TO_DIE)


def _wait_for(groups: Mapping[int, int], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(_lives(group) for group in groups):
        time.sleep(0.05)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(group: int, number: int, *, to_group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number) if to_group else os.kill(group, number)


if __name__ == "__main__":
    watch(float(sys.argv[1]))
