"""What a killed Celery worker had taken is run again, and nothing but identifiers in JSON travels."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery.beat import Scheduler
from kombu import Connection
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

from config.celery import _REDIS, QUEUE, app
from tests.redis_server import RedisServer, needs_redis, running

_TAKES_AND_HOLDS = """
import sys, time
from kombu import Connection
with Connection(sys.argv[1]) as connection:
    message = connection.SimpleQueue("celery").get(timeout=60)
    print(message.payload, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as made:
        yield made


def _taken_by_one_that_is_killed(url: str) -> str:
    with subprocess.Popen(
        [sys.executable, "-c", _TAKES_AND_HOLDS, url], stdout=subprocess.PIPE, text=True
    ) as taker:
        assert taker.stdout is not None
        said = taker.stdout.readline().strip()
        taker.send_signal(signal.SIGKILL)
    return said


@pytest.mark.slow
@needs_redis
def test_what_a_killed_worker_had_taken_from_redis_comes_again(server: RedisServer) -> None:
    with Connection(server.url, transport_options=_REDIS) as connection:
        queue = connection.SimpleQueue(QUEUE)
        queue.put("an organization's id", serializer="json")
        assert _taken_by_one_that_is_killed(server.url) == "an organization's id"
        until = time.monotonic() + 120
        while True:
            try:
                again = queue.get(timeout=1)
            except Empty:
                assert time.monotonic() < until, "what the dead had taken never came again"
            else:
                break
        assert again.payload == "an organization's id"
        again.ack()


def test_of_a_task_ten_seconds_pass_at_most_until_redis_gives_it_to_another() -> None:
    sweeps = _REDIS["unacked_restore_interval"] * _REDIS["unacked_restore_throttle"]
    assert _REDIS["visibility_timeout"] + sweeps < 10


def test_a_task_is_acknowledged_when_it_is_done_and_taken_one_at_a_time() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.result_backend is None


def test_what_was_lost_is_looked_for_every_two_seconds() -> None:
    entry: dict[str, Any] = app.conf.beat_schedule["sweep-publish-requests"]
    assert (entry["task"], entry["schedule"]) == ("gateway_config.tasks.sweep", 2.0)


def test_a_clock_that_was_just_started_leaves_nothing_until_an_hour_is_over() -> None:
    clock = Scheduler(app)
    clock.setup_schedule()
    assert len(clock.schedule) == len(app.conf.beat_schedule)
    for entry in clock.schedule.values():
        due, _ = entry.is_due()
        again, seconds = entry.next().is_due()
        assert due and not again and seconds > 1


@pytest.mark.parametrize("kind", ["application/x-python-serialize", "application/x-yaml"])
def test_a_message_that_is_not_json_is_not_read(kind: str) -> None:
    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps({"x": 1}), kind, "binary", accept=app.conf.accept_content)


def test_a_lost_broker_is_no_reason_for_celery_to_speak_of_its_next_release() -> None:
    lost = """
import warnings
import config.celery
from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer.consumer import CANCEL_TASKS_BY_DEFAULT

config.celery.app.log.setup("WARNING")
signals.celeryd_after_setup.send("worker", instance=None, conf=config.celery.app.conf)
assert config.celery.app.conf.worker_cancel_long_running_tasks_on_connection_loss is False
warnings.warn(CANCEL_TASKS_BY_DEFAULT, CPendingDeprecationWarning)
"""
    ended = subprocess.run([sys.executable, "-W", "default", "-c", lost], capture_output=True, text=True)
    assert (ended.returncode, "In Celery 5.1" in ended.stdout + ended.stderr) == (0, False), ended.stderr
