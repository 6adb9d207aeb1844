"""The embedded broker: whole messages, each to one taker, and a folder that may vanish."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from common import starting
from config.celery import app

ROOT = Path(__file__).parents[2]
APPS = ("accounts", "approvals", "audit", "catalog", "gateway_config", "policies", "servers")


@pytest.fixture
def channel(tmp_path: Path) -> Callable[[], Any]:
    def make() -> Any:
        options = {
            "data_folder_in": str(tmp_path / "queue"),
            "data_folder_out": str(tmp_path / "queue"),
            "processed_folder": str(tmp_path / "claimed"),
            "queue": "celery",
        }
        return Connection(
            "filesystem://localhost", transport="config.broker:Transport", transport_options=options
        ).channel()

    return make


def test_messages_come_out_as_they_went_in_the_oldest_first(channel: Callable[[], Any]) -> None:
    sender, taker = channel(), channel()
    for number in range(3):
        sender._put("celery", {"number": number})
    assert [taker._get("celery")["number"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        taker._get("celery")


def test_takers_never_see_a_message_twice_or_in_part(channel: Callable[[], Any]) -> None:
    sent, taken, over = 200, list[int](), threading.Event()

    def take() -> None:
        mine = channel()
        while not (over.is_set() and len(taken) >= sent):
            try:
                taken.append(mine._get("celery")["number"])
            except Empty:
                if over.is_set():
                    return

    with ThreadPoolExecutor(3) as three:
        takers = [three.submit(take) for _ in range(2)]
        sender = channel()
        for number in range(sent):
            sender._put("celery", {"number": number, "padding": "x" * 20_000})
        over.set()
        for taker in takers:
            taker.result()
    assert sorted(taken) == list(range(sent))


def test_what_is_no_message_is_thrown_away(channel: Callable[[], Any], tmp_path: Path) -> None:
    sender = channel()
    (tmp_path / "queue").mkdir(exist_ok=True)
    (tmp_path / "queue" / "0_junk.celery.msg").write_bytes(b"{")
    (tmp_path / "queue" / "0_other.elsewhere.msg").write_bytes(b"{}")
    sender._put("celery", {"number": 1})
    assert sender._get("celery") == {"number": 1}


def test_a_queue_can_be_declared_before_there_is_a_folder(channel: Callable[[], Any]) -> None:
    made = channel()
    assert made.queue_declare("celery").message_count == 0
    made._put("celery", {})
    assert made.queue_declare("celery").message_count == 1


def test_a_folder_that_vanished_is_made_again(channel: Callable[[], Any], tmp_path: Path) -> None:
    sender = channel()
    with pytest.raises(Empty):
        sender._get("celery")
    (tmp_path / "queue").rmdir()
    sender._put("celery", {"number": 1})
    assert sender._get("celery") == {"number": 1}


def test_only_the_known_queue_is_written_to(channel: Callable[[], Any]) -> None:
    assert channel()._lookup("celery", "celery") == ["celery"]
    assert channel()._lookup("celeryev", "worker.heartbeat") == []


def test_a_broker_that_answers_slowly_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    tried: list[str] = []

    def send(task: str, given: tuple[str, ...]) -> None:
        tried.extend(given)
        now[0] += 2
        raise ConnectionError

    monkeypatch.setattr("common.starting.time.monotonic", lambda: now[0])
    monkeypatch.setattr(starting, "_not_before", 0.0)
    monkeypatch.setattr(app, "send_task", send)
    starting.start("a.task", "first")
    starting.start("a.task", "passed over")
    now[0] += 5
    starting.start("a.task", "tried again")
    assert tried == ["first", "tried again"]


def test_every_task_that_is_started_by_name_is_there() -> None:
    app.loader.import_default_modules()
    sources = (path for folder in APPS for path in (ROOT / folder).rglob("*.py"))
    named = {name for path in sources for name in re.findall(r'\bstart\(\s*"([\w.]+)"', path.read_text())}
    assert len(named) >= 5
    assert named <= set(app.tasks)
