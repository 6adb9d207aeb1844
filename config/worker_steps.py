"""Two threads that every Celery worker runs beside its tasks: the clock, and publishing without a broker."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import bootsteps
from celery.beat import EmbeddedService
from django.conf import settings
from django.db import connections

LOOK_EVERY_SECONDS = 1.0
# A file under DATA_DIR, touched at every look: a Celery worker has no port for a container's health check.
SIGN_OF_LIFE = "worker-alive"

logger = logging.getLogger(__name__)


class Clock(bootsteps.StartStopStep):
    """Runs the static schedule, in a thread: Celery's own process for it would not be restarted if it ended.

    Several workers have several clocks, so what they start may run twice.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        self._service: Any = None

    def start(self, worker: Any) -> None:
        self._service = EmbeddedService(worker.app, thread=True, scheduler_cls=worker.app.conf.beat_scheduler)
        self._service.start()

    def stop(self, worker: Any) -> None:
        if self._service is not None:
            self._service.service.stop()


class Standby(bootsteps.StartStopStep):
    """Publishes what has waited too long. Without the broker, which only speeds things up, no task runs."""

    # After the pool: one that forks (ours has threads) must do so before this process starts any thread.
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

        alive = settings.DATA_DIR / SIGN_OF_LIFE
        while not self._over.wait(LOOK_EVERY_SECONDS):
            try:
                alive.touch()
            except OSError as problem:
                logger.warning("%s cannot be written (%s); trying again", alive, problem.strerror)
            try:
                publish_overdue()
            except Exception as problem:
                logger.warning(
                    "changes that wait to be published could not be read (%s); trying again",
                    type(problem).__name__,
                )
            finally:
                connections.close_all()
