"""Starting a task is a hint, never a need: everything that must happen is also found by a sweep."""

from __future__ import annotations

import logging
import time
from typing import Final

from celery import current_app

# A broker that vanished silently costs the first request this much, and then nobody for a while.
_SLOW_SECONDS: Final = 0.5
_REST_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)
_not_before = 0.0


def start(task: str, *arguments: str) -> None:
    """Never fails. `task` is a full name: tasks import the code that starts them, not the reverse."""
    global _not_before
    began = time.monotonic()
    if began < _not_before:
        return
    try:
        current_app.send_task(task, arguments)
    except Exception as problem:
        # A broker's URL may hold a password, and so may an error about it.
        logger.warning(
            "the broker did not take a message (%s); the sweep will start it",
            type(problem).__name__,
        )
        ended = time.monotonic()
        if ended - began > _SLOW_SECONDS:
            _not_before = ended + _REST_SECONDS
