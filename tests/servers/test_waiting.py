"""A scan asked for over the API: the answer waits for its end and holds nothing meanwhile."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.limits import DEFAULTS, Limit
from common.errors import LimitReached
from servers import services, waiting
from servers.models import ToolScan
from servers.services import register_server, start_scan
from servers.tasks import run_scan
from tests.cast import Cast, inside
from tests.roles import as_worker

ROOT = Path(__file__).resolve().parents[2]


async def _all(parts: AsyncIterator[bytes]) -> list[bytes]:
    return [part async for part in parts]


@pytest.mark.django_db(transaction=True)
def test_the_api_waits_for_the_worker_and_answers_with_what_it_found(
    cast: Cast, api_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with inside(cast.alice):
        server = register_server(cast.alice, "Nobody", "http://127.0.0.1:1/mcp")
    workers: list[threading.Thread] = []

    def work(scan_id: str) -> None:
        def visit() -> None:
            try:
                with as_worker():
                    run_scan(scan_id)
            finally:
                connection.close()

        workers.append(threading.Thread(target=visit))
        workers[-1].start()

    monkeypatch.setattr("config.celery.app.send_task", lambda _, given: work(*given))
    answer: Any = Client().post(
        f"/api/v1/servers/{server.public_id}/scan/",
        headers={"Authorization": f"Bearer {api_key(cast.alice)}"},
    )
    scan = json.loads(b"".join(asyncio.run(_all(aiter(answer)))))
    workers[0].join()
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert (scan["status"], scan["tools"], scan["problems"][0]["code"]) == ("failed", 0, "refused")


@pytest.mark.django_db(transaction=True)
def test_a_scan_that_nobody_takes_up_is_answered_as_it_stands(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four seconds pass whenever it looks at its clock, and none by themselves.
    clock = SimpleNamespace(monotonic=partial(next, count(step=4)))
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
    with inside(cast.alice):
        scan = start_scan(cast.alice, register_server(cast.alice, "Nobody", "http://127.0.0.1:1/mcp"))

    parts = asyncio.run(_all(waiting.when_over(scan, lambda seen: seen.state.encode())))
    assert (set(parts[:-1]), parts[-1]) == ({b" "}, b"waiting")


def test_one_organization_cannot_take_every_place_of_the_workers(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEFAULTS, Limit.SCANS_PER_HOUR, 10)
    with inside(cast.mallory):
        server = register_server(cast.mallory, "Slow", "http://127.0.0.1:1/mcp")
        for _ in range(services.MOST_SCANS_AT_ONCE):
            start_scan(cast.mallory, server)
        with pytest.raises(LimitReached, match="are running"):
            start_scan(cast.mallory, server)
        for _ in range(2):
            ToolScan.objects.update(state=ToolScan.State.DONE)
            start_scan(cast.mallory, server)
        ToolScan.objects.update(state=ToolScan.State.DONE)
        with pytest.raises(LimitReached, match="within an hour"):
            start_scan(cast.mallory, server)
    with inside(cast.alice):
        start_scan(cast.alice, register_server(cast.alice, "Fine", "http://127.0.0.1:1/mcp"))


def test_neither_the_web_process_nor_the_tasks_bring_the_mcp_sdk_until_a_scan_begins() -> None:
    code = (
        "import django, sys; django.setup(); import config.urls, config.internal_urls, servers.tasks;"
        " heavy = [name for name in ('mcp', 'httpx2', 'servers.probe') if name in sys.modules];"
        " sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.test", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (done.returncode, done.stderr) == (0, "")
