"""Reading a large bundle takes several times its size; the C library would keep that memory for later."""

import ctypes
import sys


def give_back_memory() -> None:
    """To the system, what is free. Where the C library has no word for it, nothing happens."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
