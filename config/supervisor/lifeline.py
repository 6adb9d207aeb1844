"""Makes a child die with its parent, however the parent dies (on Linux; elsewhere only the watchdog does)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import parent_process

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`, which runs after the change of user: the change would undo this."""
    parent = os.getpid()
    return lambda: _tie(parent, with_signal)


def die_with_master() -> None:
    """Tie a process made by `multiprocessing`, such as a granian worker, to its master; else do nothing.

    Otherwise, if its master were killed, it would keep the port and answer beside its successor.
    """
    master = parent_process()
    if master is not None and master.pid is not None:
        _tie(master.pid, signal.SIGKILL)


def _tie(parent: int, with_signal: signal.Signals) -> None:
    if _LIBC is None:
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died in between
        os._exit(1)
