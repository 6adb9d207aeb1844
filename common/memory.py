"""What a process does with memory it keeps for long, and with memory it needs no more."""

import ctypes
import gc
import sys
from typing import Final

_COLLECTED_AFTER: Final = 10_000


def collect_less() -> None:
    """What is there now stays for long: looking through it for garbage would hold up everybody."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 50)


def give_back_memory() -> None:
    """To the system, what is free: reading a large bundle takes several times its size, and the C library
    would keep that for later. Where it has no word for it, nothing happens."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
