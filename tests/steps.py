"""Counts work instead of timing it: the result is the same on every machine, however busy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(work: Callable[[], object]) -> int:
    """Count the lines of Python that ran in this thread, and its calls of functions written in C.

    What happens inside such a call is not seen: a search through a large list is one step.
    """
    counted = 0

    def trace(_: FrameType, event: str, __: object) -> Any:
        nonlocal counted
        counted += event == "line"
        return trace

    def profile(_: FrameType, event: str, __: object) -> None:
        nonlocal counted
        counted += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return counted


def grows_no_faster_than_its_size(work: Callable[[int], object], size: int, times: int = 4) -> bool:
    """Return whether `times` the size takes at most about `times` the steps. `work` gets a size."""
    return steps(lambda: work(size * times)) <= 1.25 * times * steps(lambda: work(size))
