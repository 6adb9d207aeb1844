"""Starting a task is a hint, never a need: everything that must happen is also found by a sweep."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

# A broker that is gone without saying so costs the first request this much, and then nobody for a while.
_SLOW_SECONDS: Final = 0.5
_REST_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)
_not_before = 0.0


def start(task: Any, *arguments: str) -> None:
    """Never fails, and seldom waits."""
    global _not_before
    began = time.monotonic()
    if began < _not_before:
        return
    try:
        task.delay(*arguments)
    except Exception as problem:
        # A broker's URL may hold a password, and so may what is said about it.
        logger.warning("the broker took no message (%s); the sweep will start it", type(problem).__name__)
        ended = time.monotonic()
        if ended - began > _SLOW_SECONDS:
            _not_before = ended + _REST_SECONDS
