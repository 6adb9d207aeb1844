"""Building much at once without the garbage collector going over all of it again and again.

Reading a policy makes hundreds of thousands of small values and not one cycle; the collector, woken by their
number, would take longer than the reading itself.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Of several that overlap in threads the first that ends wakes it: it is never left asleep.

    What is only needed inside should be out of reach at the end, or it is gone over after all.
    """
    was_awake = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_awake:
            gc.enable()
