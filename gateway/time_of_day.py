"""What time it is, for everything that ends: leases, grants, and what clients carry.

Setting a gateway's clock back must not let anything live longer. So this time does not go back by itself: it
is the wall clock's, or the newest time known plus what has passed since by a clock that nobody can set and
that goes on while the machine sleeps. Only the control plane, whose time counts for all, can set it back: so
ends what a clock began that ran ahead.
"""

import time

_UNSETTABLE = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the first on Linux alone


class TimeOfDay:
    def __init__(self) -> None:
        self._ahead = float("-inf")

    def now(self) -> float:
        """Return unix seconds."""
        passed = time.clock_gettime(_UNSETTABLE)
        ahead = time.time() - passed
        if ahead > self._ahead:
            self._ahead = ahead
        return passed + self._ahead

    def is_at_least(self, known: float) -> None:
        """Take into account a time that was seen before."""
        self._ahead = max(self._ahead, known - time.clock_gettime(_UNSETTABLE))

    def is_told(self, moment: float) -> None:
        """Take the control plane's time in place of any seen before; the wall clock may still be later."""
        self._ahead = moment - time.clock_gettime(_UNSETTABLE)
