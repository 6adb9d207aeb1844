"""The Celery app. It carries only identifiers, and may run a task twice or out of order; durability is up to
the outbox."""

import os
import warnings
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import celeryd_after_setup, celeryd_init, task_postrun, task_prerun
from django.conf import settings

from config import env
from config.worker_steps import Clock, Standby

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

QUEUE = "celery"
_LONG_AGO = datetime.fromtimestamp(0, UTC)

app = Celery("policylayer")
# Tasks are sent from threads too: these must find this app and not an unconfigured one.
app.set_default()
app.steps["worker"].update({Clock, Standby})


def _filesystem_broker() -> dict[str, Any]:
    folder = settings.DATA_DIR / "broker"
    return {
        "broker_url": "filesystem://localhost",
        "broker_transport": "config.broker:Transport",
        "broker_transport_options": {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "processed_folder": str(folder / "claimed"),
            "polling_interval": 0.02,
            "queue": QUEUE,
        },
    }


# A killed worker's task runs again within 10 s. The throttle multiplies the interval, by ten unless set.
_REDIS = {
    "visibility_timeout": 6,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    # In seconds: a request that publishes waits no longer than this for a broker that is gone.
    "socket_connect_timeout": 1,
    "socket_timeout": 30,
    "socket_keepalive": True,
}


def _broker() -> dict[str, Any]:
    url = settings.CELERY_BROKER_URL
    if not url or url.startswith("filesystem"):
        return _filesystem_broker()
    options = _REDIS if url.startswith(("redis", "sentinel")) else {}
    return {"broker_url": url, "broker_transport_options": options}


def _every(seconds: float, task: str) -> dict[str, Any]:
    """Schedule a task, with a first run at the start: hourly work is done even if the product is restarted
    every half hour."""
    # A task that has waited longer than its period is dropped: the next one does the same.
    options = {"expires": max(seconds, 2.0)}
    return {"task": task, "schedule": seconds, "options": options, "last_run_at": _LONG_AGO}


# Celery says at each lost connection that this will be the default, even where it is set.
_CANCELLING = r"\s*In Celery 5\.1 we introduced an optional breaking change"


def configure() -> None:
    app.conf.update(
        **_broker(),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1,
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        # Forked processes share a pipe, and one that is killed while reading keeps its lock for ever; they
        # also share the parent's database connections. Threads end together and are restarted together.
        worker_pool="threads",
        # A thread cannot be cancelled: what runs when the broker is lost runs to its end, and once more.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        timezone="UTC",
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule={
            "sweep-publish-requests": _every(2.0, "gateway_config.tasks.sweep"),
            "forget-closed-organizations": _every(3600.0, "gateway_config.tasks.forget_closed"),
            "sweep-scans": _every(5.0, "servers.tasks.sweep_scans"),
            "note-expired-approvals": _every(2.0, "approvals.tasks.note_expired"),
            "sweep-approval-notices": _every(5.0, "approvals.tasks.sweep_notices"),
            "erase-arguments-of-approvals": _every(3600.0, "approvals.tasks.erase_arguments"),
            "rescan-servers": _every(60.0, "servers.tasks.rescan_due"),
            "forget-scans": _every(3600.0, "servers.tasks.forget_scans"),
            "sweep-messages": _every(300.0, "catalog.tasks.sweep_messages"),
            "keep-the-log": _every(600.0, "audit.tasks.keep_house"),
        },
    )
    app.autodiscover_tasks()


@celeryd_after_setup.connect
def _say_nothing_of_the_next_release(**_: Any) -> None:
    """Once Celery's own logging is set up, which would show the warning again."""
    warnings.filterwarnings("ignore", _CANCELLING, CPendingDeprecationWarning)


@celeryd_init.connect
def _check_keys(**_: Any) -> None:
    """They are used only once something is published; a worker without them must not even start."""
    with env.or_exit():
        env.keys("SEALING_KEYS")
        env.keys("BUNDLE_KEYS")
        env.one_key("SIGNING_KEY")


@celeryd_after_setup.connect
def _count_tasks(**_: Any) -> None:
    from config import counts  # it needs the settings, which are still being made when this is loaded

    with env.or_exit():
        counts.begin("worker")
    counts.name_tasks([name for name in app.tasks if not name.startswith("celery.")])
    task_prerun.connect(counts.task_begins)
    task_postrun.connect(counts.task_ended)


with env.or_exit():
    configure()
