"""Counters in a file: exact between threads and processes, over after their time."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import stat
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from common import shared_counters
from common.shared_counters import SharedCounters

AT_ONCE = 4
TIMES = 500


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "requests.counters"


def count_often(file: Path) -> None:
    counters = SharedCounters(file, {})
    for _ in range(TIMES):
        counters.incr("alice")


def test_a_counter_begins_once_and_counts(file: Path) -> None:
    counters = SharedCounters(file, {})
    with pytest.raises(ValueError, match="alice"):
        counters.incr("alice")
    assert counters.add("alice", 1, timeout=60) and not counters.add("alice", 1, timeout=60)
    assert counters.add("bob", 5, timeout=60)
    assert [counters.incr("alice") for _ in range(2)] == [2, 3]
    assert counters.incr("bob", 2) == 7
    counters.clear()
    assert counters.add("alice", 1, timeout=60)


def test_threads_and_processes_count_together_and_lose_nothing(file: Path) -> None:
    counters = SharedCounters(file, {})
    counters.add("alice", 0, timeout=600)
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=count_often, args=(file,)) for _ in range(2)]
    threads = [threading.Thread(target=count_often, args=(file,)) for _ in range(AT_ONCE)]
    for process in processes:
        process.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert counters.incr("alice", 0) == (AT_ONCE + 2) * TIMES


def test_a_counter_is_over_after_its_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("common.shared_counters.time.time", lambda: now[0])
    counters = SharedCounters(file, {})
    counters.add("alice", 9, timeout=60)
    now[0] += 59
    assert counters.incr("alice") == 10
    now[0] += 2
    assert counters.add("alice", 1, timeout=60)


def test_a_flood_of_strangers_takes_nothing_from_those_who_ask_a_lot(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_counters, "_SLOTS", 64)
    monkeypatch.setattr(shared_counters, "_SIZE", 64 * 16)
    counters = SharedCounters(file, {})
    counters.add("alice", 40, timeout=600)
    for number in range(1_000):
        counters.add(f"stranger {number}", 1, timeout=600)
    assert counters.incr("alice") == 41
    assert file.stat().st_size == 64 * 16


def test_nobody_is_forgotten_by_making_room_for_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_counters, "_SLOTS", 16)
    monkeypatch.setattr(shared_counters, "_SIZE", 16 * 16)
    counters, asked = SharedCounters(file, {}), Counter[str]()
    chance = random.Random(7)
    for _ in range(2_000):
        who = f"stranger {chance.randrange(100)}"
        asked[who] += 1
        counters.add(who, 0, timeout=600)
        assert counters.incr(who) >= asked[who]


def test_nobody_else_reads_it(file: Path) -> None:
    SharedCounters(file, {}).add("alice", 1, timeout=60)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_whole_file_has_its_place_on_the_disk_from_the_start(file: Path) -> None:
    """A page of a mapped file that finds no room when it is first written ends the process."""
    SharedCounters(file, {}).add("alice", 1, timeout=60)
    assert file.stat().st_blocks * 512 >= file.stat().st_size > 0


def _refusing(code: int) -> Callable[..., None]:
    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refused


def test_on_a_full_disk_requests_are_counted_nevertheless_and_the_log_says_so_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.ENOSPC))
    counters = SharedCounters(file, {})
    assert counters.add("alice", 1, timeout=60) and counters.incr("alice") == 2
    (warning,) = caplog.messages
    assert warning.startswith(f"{file} cannot be used (No space left on device)")


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_no_room_can_be_reserved_the_count_is_shared_nevertheless(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _refusing(code))
    assert SharedCounters(file, {}).add("alice", 1, timeout=60)
    assert SharedCounters(file, {}).incr("alice") == 2
    assert not caplog.messages
