"""Counts the requests that the control plane answers and the tasks that it runs, for Prometheus.

Each process counts in files of its own under DATA_DIR/metrics, and whoever is asked adds up those of all: the
processes of `manage.py up` share that folder. Labels name our routes and tasks, never what anybody sent.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    start_http_server,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from common.shared_counters import reserve
from config import env

FOLDER: Final = "metrics"
# Room for every route and task: a mapped page that finds no place on the disk later would end the process.
_ROOM: Final = {"counter": 1 << 19, "histogram": 1 << 20}
_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by machines; they would drown what people ask.
_NOT_COUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_log = logging.getLogger(__name__)
_own = CollectorRegistry()
_all = _own
_requests = Counter(
    "policylayer_requests",
    "Requests answered, by route; status: its first digit and xx.",
    ("face", "route", "method", "status"),
    registry=_own,
)
_request_seconds = Histogram(
    "policylayer_request_seconds",
    "From a request to its answer, or to the beginning of one that is a stream.",
    ("face", "route"),
    buckets=_BOUNDS,
    registry=_own,
)
_tasks = Counter("policylayer_tasks", "Tasks that ended, by how.", ("task", "state"), registry=_own)
_task_seconds = Histogram(
    "policylayer_task_seconds", "What tasks took.", ("task",), buckets=_BOUNDS, registry=_own
)
_began: dict[str, float] = {}


def begin(process: str) -> None:
    """Count where the other processes of this folder can read it. Without this, each has its own numbers."""
    global _all
    folder = settings.DATA_DIR / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = _first_free(process)
        for kind, size in _ROOM.items():
            file = os.open(folder / f"{kind}_{process}-{number}.db", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                reserve(file, size)
            finally:
                os.close(file)
    except OSError as problem:
        _log.warning(
            "%s cannot be used (%s): requests and tasks are not counted for Prometheus until it can be and"
            " this process is restarted",
            folder,
            problem.strerror,
        )
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # Not named by its pid, as by default: one that is started again goes on from its own numbers.
    values.ValueClass = values.MultiProcessValue(lambda: f"{process}-{number}")  # type: ignore[no-untyped-call]
    _all = CollectorRegistry()
    MultiProcessCollector(_all, str(folder))  # type: ignore[no-untyped-call]
    # The internal listener has a port already, and of several processes the first serves for all.
    if process != "internal" and number == 1:
        _serve()


def text() -> str:
    return generate_latest(_all).decode()


@sync_and_async_middleware
def requests_counted(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    if iscoroutinefunction(get_response):

        async def answered_later(request: HttpRequest) -> HttpResponseBase:
            began = time.perf_counter()
            answer: HttpResponseBase = await get_response(request)
            _note(request, answer, time.perf_counter() - began)
            return answer

        return answered_later

    def answered(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        answer: HttpResponseBase = get_response(request)
        _note(request, answer, time.perf_counter() - began)
        return answer

    return answered


def task_begins(task_id: str, **_: Any) -> None:
    _began[task_id] = time.perf_counter()


def task_ended(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    _tasks.labels(task.name, (state or "unknown").lower()).inc()
    if began := _began.pop(task_id, None):
        _task_seconds.labels(task.name).observe(time.perf_counter() - began)


def name_tasks(names: list[str]) -> None:
    """Count from 0, so that an alert sees the first that fails, too."""
    for name in names:
        for state in ("success", "failure"):
            _tasks.labels(name, state)


def _note(request: HttpRequest, answer: HttpResponseBase, seconds: float) -> None:
    found = request.resolver_match
    route = f"/{found.route}" if found else "(none)"
    if route in _NOT_COUNTED:
        return
    face = "internal" if settings.INTERNAL else "api" if request.path.startswith("/api/v1/") else "site"
    method = request.method if request.method in _METHODS else "(other)"
    _requests.labels(face, route, method, f"{answer.status_code // 100}xx").inc()
    _request_seconds.labels(face, route).observe(seconds)


def _first_free(process: str) -> int:
    """Return the first number that no living process of this name has; it is ours until we end."""
    for number in count(1):
        place = settings.DATA_DIR / FOLDER / f"{process}-{number}.lock"
        file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return number  # `file` stays open: it is the lock
    raise AssertionError


def _serve() -> None:
    port, host = env.optional_port("METRICS_PORT"), env.text("METRICS_HOST").strip("[]")
    if port is None:
        return
    try:
        start_http_server(port, host, _all)
    except OSError as problem:
        raise env.EnvironmentInvalid(
            f"METRICS_PORT {port} cannot be listened on at {host}: {problem.strerror}"
        ) from None
