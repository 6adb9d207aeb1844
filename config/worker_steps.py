"""Publishing without a broker: a thread of the Celery worker that looks for what nobody takes up.

The broker is an accelerator. With it gone no task runs, so what waits too long is published here.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import bootsteps
from django.db import connections

LOOK_EVERY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Standby(bootsteps.StartStopStep):
    # After the pool: its processes are forked from this one, which must not have begun anything by then.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, worker: Any) -> None:
        self._over.clear()
        self._thread = threading.Thread(target=self._look_again_and_again, name="standby", daemon=True)
        self._thread.start()

    def stop(self, worker: Any) -> None:
        self._over.set()

    def _look_again_and_again(self) -> None:
        from gateway_config.tasks import publish_overdue

        while not self._over.wait(LOOK_EVERY_SECONDS):
            try:
                publish_overdue()
            except Exception as problem:
                logger.warning("looking for waiting configurations failed (%s)", type(problem).__name__)
            finally:
                connections.close_all()
