"""What a process does with memory that it keeps for long, and with memory that it no longer needs."""

import ctypes
import gc
import sys
from typing import Final

_COLLECTED_AFTER: Final = 10_000


def collect_less() -> None:
    """Exempts what is there now, which stays for long: searching it for garbage would hold up everyone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 50)


def give_back_memory() -> None:
    """Returns free memory to the system: reading a large bundle takes several times its size, and the C
    library would keep that for later. Does nothing if the library has no function for it."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
