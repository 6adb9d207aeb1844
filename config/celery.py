"""Celery carries identifiers and may run a task twice and out of order; the outbox is what loses nothing."""

import os
from typing import Any

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("policylayer")


def _filesystem_transport() -> dict[str, Any]:
    folder = settings.DATA_DIR / "broker"
    for name in ("queue", "control", "processed"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "processed"),
        "polling_interval": 0.02,
    }


def configure() -> None:
    url = settings.CELERY_BROKER_URL or "filesystem://"
    app.conf.update(
        broker_url=url,
        broker_transport_options=_filesystem_transport()
        if url.startswith("filesystem")
        # A killed worker's task runs again within 10 s.
        else {"visibility_timeout": 8, "unacked_restore_interval": 2},
        broker_connection_retry_on_startup=True,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        task_publish_retry=False,
        timezone="UTC",
        beat_schedule={
            "sweep-publish-requests": {"task": "gateway_config.tasks.sweep", "schedule": 2.0},
        },
    )
    app.autodiscover_tasks()


configure()
