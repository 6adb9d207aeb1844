"""Pauses the garbage collector while very many values are built at once.

Reading a policy makes hundreds of thousands of small values and not a single cycle; the collector, triggered
by their number, would traverse them again and again and take longer than the reading itself.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector. Where blocks in several threads overlap, it runs again at the latest when the last
    one ends, and may run before that: it is never left off.

    Values needed only inside should be unreachable by the end, or the collector traverses them after all.
    """
    was_awake = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_awake:
            gc.enable()
