"""The store's time.

Windows are measured on the machine's monotonic clock, which every process of the machine shares and nobody
can set: stepping the wall clock back or forward changes nothing. The wall clock is asked once per boot
how long the machine was off.
"""

import time
from pathlib import Path
from typing import Final, Protocol

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    def boot(self) -> str: ...

    def monotonic_ms(self) -> int: ...

    def wall_ms(self) -> int: ...


class SystemClock:
    def __init__(self) -> None:
        self._boot = _boot()

    def boot(self) -> str:
        """An id that changes when the monotonic clock starts over."""
        return self._boot

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        # Not Linux: when the machine was started, to the minute. A wrong guess denies for a while and admits
        # nothing.
        return f"about {round((time.time() - time.monotonic()) / 60)}"
