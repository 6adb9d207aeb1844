"""How often somebody tried is kept until it is over, whatever else is kept meanwhile."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.connection import ConnectionProxy

from common.kept_files import KeptFiles
from tests.cast import PASSWORD, Cast

OTHERS = 1_000


@pytest.fixture
def kept(tmp_path: Path) -> KeptFiles:
    return KeptFiles(tmp_path / "cache", {})


def test_a_guessed_password_stays_throttled_while_many_others_try(
    cast: Cast, tmp_path: Path, settings: Any
) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "default": {"BACKEND": "common.kept_files.KeptFiles", "LOCATION": tmp_path / "cache"},
    }
    assert isinstance(cache, ConnectionProxy)

    def tries(number: int, password: str) -> str:
        sent = {"login": "alice@example.com", "password": password}
        return Client(REMOTE_ADDR=f"192.0.2.{number}").post("/accounts/login/", sent).content.decode()

    for number in range(5):
        tries(number, "wrong")
    assert "Too many tries" in tries(6, PASSWORD)
    for number in range(OTHERS):
        cache.set(f"somebody-{number}", [time.time()], 300)
    assert "Too many tries" in tries(7, PASSWORD)


def test_what_is_over_makes_room(kept: KeptFiles, tmp_path: Path) -> None:
    for number in range(OTHERS):
        kept.set(f"short-{number}", 1, 0.01)
    kept.set("long", 1, 300)
    time.sleep(0.02)
    KeptFiles(tmp_path / "cache", {}).set("another", 1, 300)
    assert len(list((tmp_path / "cache").glob("*.djcache"))) == 2


def test_of_many_that_begin_a_counter_at_once_one_does_and_every_one_is_counted(kept: KeptFiles) -> None:
    start, begun = threading.Barrier(8), []

    def go() -> None:
        for turn in range(40):
            start.wait()
            begun.append((turn, kept.add(f"turn-{turn}", 0, 60)))
            start.wait()
            kept.incr(f"turn-{turn}")

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turn for turn, first in begun if first) == list(range(40))
    assert {kept.get(f"turn-{turn}") for turn in range(40)} == {8}


def test_what_is_counted_up_ends_when_it_would_have_ended(kept: KeptFiles) -> None:
    kept.add("short", 0, 0.3)
    kept.add("lasting", 0, None)
    for name in ("short", "lasting"):
        assert kept.incr(name) == 1
    time.sleep(0.4)
    assert (kept.get("short"), kept.get("lasting")) == (None, 1)
    with pytest.raises(ValueError, match="short"):
        kept.incr("short")


def test_a_counter_that_ends_while_it_is_counted_is_there_no_more(
    kept: KeptFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = KeptFiles.get

    def read_before_it_went(self: KeptFiles, key: str, **more: Any) -> Any:
        value = read(self, key, **more)
        self.delete(key)
        return value

    kept.add("tries", 0, 60)
    monkeypatch.setattr(KeptFiles, "get", read_before_it_went)
    with pytest.raises(ValueError, match="tries"):
        kept.incr("tries")
