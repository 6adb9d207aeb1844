"""Requests and tasks are counted for Prometheus, by names of ours alone, whatever becomes of a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from celery import shared_task
from celery.signals import task_postrun, task_prerun
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from config import counts
from tests.config.test_up import ROOT
from tests.ports import free_port
from tests.roles import as_worker


def failing(request: HttpRequest, number: int) -> HttpResponse:
    raise RuntimeError("a defect")


urlpatterns = [path("failing/<int:number>/", failing)]


def counted(text: str | None = None) -> dict[str, float]:
    found = re.findall(r"^(policylayer_\S+) (\S+)$", text or counts.text(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def request_line(face: str, route: str, method: str, status: str) -> str:
    said = f'face="{face}",method="{method}",route="{route}",status="{status}"'
    return f"policylayer_requests_total{{{said}}}"


def grown(before: dict[str, float]) -> dict[str, float]:
    return {
        name: value - before.get(name, 0)
        for name, value in counted().items()
        if "_total{" in name and value != before.get(name, 0)
    }


@pytest.mark.django_db
def test_a_request_is_counted_by_its_route_and_never_by_what_was_sent() -> None:
    before, organization = counted(), uuid4()
    client = Client()
    client.get("/accounts/login/")
    client.get(f"/api/v1/servers/{organization}/?q=mallory")
    client.get("/nothing-of-ours/mallory/")
    client.generic("MALLORY", "/accounts/login/")
    client.get("/healthz")
    assert grown(before) == {
        request_line("site", "/accounts/login/", "GET", "2xx"): 1,
        request_line("api", "/api/v1/servers/<str:server_id>/", "GET", "4xx"): 1,
        request_line("site", "(none)", "GET", "4xx"): 1,
        request_line("site", "/accounts/login/", "(other)", "4xx"): 1,
    }
    assert not {"mallory", "MALLORY", str(organization)} & set(re.findall(r"[\w-]+", counts.text()))


@override_settings(ROOT_URLCONF=__name__)
def test_a_defect_is_counted_as_one_with_the_time_it_took() -> None:
    before = counted()
    Client(raise_request_exception=False).get("/failing/7/")
    assert grown(before) == {request_line("site", "/failing/<int:number>/", "GET", "5xx"): 1}
    assert counted()['policylayer_request_seconds_count{face="site",route="/failing/<int:number>/"}'] >= 1


@pytest.mark.urls("config.internal_urls")
async def test_gateways_requests_are_counted_without_a_thread_for_each() -> None:
    before = counted()
    with override_settings(INTERNAL=True, MIDDLEWARE=["config.counts.requests_counted"]):
        assert (await AsyncClient().get("/internal/v1/heads")).status_code == 401
    assert grown(before) == {request_line("internal", "/internal/v1/heads", "GET", "4xx"): 1}


@pytest.mark.django_db
@pytest.mark.urls("config.internal_urls")
def test_while_the_database_is_away_what_processes_count_is_still_told() -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("the connection is lost")

    counts.name_tasks(["gateway_config.tasks.sweep"])
    with as_worker():
        assert counted(Client().get("/metrics").content.decode())["policylayer_database_answers"] == 1
        with connection.execute_wrapper(away):
            numbers = counted(Client().get("/metrics").content.decode())
    assert numbers["policylayer_database_answers"] == 0
    assert 'policylayer_tasks_total{state="failure",task="gateway_config.tasks.sweep"}' in numbers
    assert not any("work_waiting" in name for name in numbers)


@shared_task
def divide(by: int) -> float:
    return 1 / by


@pytest.fixture
def counting_tasks() -> Iterator[None]:
    task_prerun.connect(counts.task_begins)
    task_postrun.connect(counts.task_ended)
    yield
    task_prerun.disconnect(counts.task_begins)
    task_postrun.disconnect(counts.task_ended)


def test_tasks_are_counted_by_how_they_end(counting_tasks: None) -> None:
    counts.name_tasks([divide.name])
    before = counted()
    for by in (1, 0, 2):
        divide.apply((by,))
    assert grown(before) == {
        f'policylayer_tasks_total{{state="success",task="{divide.name}"}}': 2,
        f'policylayer_tasks_total{{state="failure",task="{divide.name}"}}': 1,
    }
    assert counted()[f'policylayer_task_seconds_count{{task="{divide.name}"}}'] >= 3


# Says when it counts, and goes on until its input ends.
PROCESS = """
import sys
from config import counts, env
with env.or_exit():
    counts.begin(sys.argv[1])
counts.name_tasks(["t"])
counts._tasks.labels("t", "failure").inc()
print("counting", flush=True)
sys.stdin.read()
print(counts.text(), flush=True)
"""


class Counting:
    def __init__(self, folder: Path, process: str, **more: str) -> None:
        own = {"POLICYLAYER_TEST_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings.test", **more}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, process],
            cwd=ROOT,
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()

    def end(self) -> tuple[str, str]:
        return self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


FAILED = 'policylayer_tasks_total{state="failure",task="t"}'


def test_all_processes_of_a_folder_are_counted_together_also_one_that_was_killed(tmp_path: Path) -> None:
    first, second = Counting(tmp_path, "web"), Counting(tmp_path, "web")
    first.kill()
    third, last = Counting(tmp_path, "web"), Counting(tmp_path, "internal")
    text, _ = last.end()
    assert counted(text)[FAILED] == 4
    # One that is started again goes on with the file of the one that was killed.
    files = sorted(file.name for file in (tmp_path / "metrics").glob("counter_*"))
    assert files == ["counter_internal-1.db", "counter_web-1.db", "counter_web-2.db"]
    second.end()
    third.end()


def test_their_files_have_their_place_on_the_disk_from_the_start(tmp_path: Path) -> None:
    Counting(tmp_path, "web").end()
    for file in (tmp_path / "metrics").glob("*.db"):
        assert file.stat().st_blocks * 512 >= file.stat().st_size >= 1 << 19


def test_of_the_sites_processes_one_serves_the_numbers_of_all(tmp_path: Path) -> None:
    port = free_port()
    first = Counting(tmp_path, "web", METRICS_PORT=str(port))
    second = Counting(tmp_path, "web", METRICS_PORT=str(port))
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert (answer.status_code, counted(answer.text)[FAILED]) == (200, 2)
    worker = Counting(tmp_path / "other", "worker", METRICS_PORT=str(port))
    _, said = worker.end()
    assert said == f"METRICS_PORT {port} cannot be listened on at 127.0.0.1: Address already in use\n"
    first.end()
    second.end()


def test_a_process_whose_folder_cannot_be_used_says_so_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file, where a folder should be")
    process = Counting(tmp_path, "web")
    assert process.said == "counting\n"
    _, said = process.end()
    assert f"{tmp_path}/metrics cannot be used (File exists): requests and tasks are not counted" in said
