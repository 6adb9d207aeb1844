"""What crashes is started again; nothing is left behind, however the supervisor ends."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.supervisor.lines import LONGEST_LINE, LineCutter, Printer
from config.supervisor.lock import take_lock
from config.supervisor.supervise import Child, Patience, Supervisor

FAST = Patience(first_seconds=0.01, most_seconds=0.05, grace_seconds=5.0)


def child(name: str, program: str, folder: Path) -> Child:
    return Child(name, (sys.executable, "-c", program), dict(os.environ), folder)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_a_crashed_child_is_started_again(tmp_path: Path) -> None:
    out = io.StringIO()
    supervisor = Supervisor(Printer(out), FAST)
    program = "open('starts', 'a').write('x'); raise SystemExit(3)"
    await supervisor.start(child("flaky", program, tmp_path))
    starts = tmp_path / "starts"
    await soon(lambda: starts.exists() and len(starts.read_text()) >= 3)
    await supervisor.stop()
    assert "flaky ended with code 3; starting it again in 0.01 s" in out.getvalue()


async def test_a_child_that_was_killed_is_named_with_its_signal(tmp_path: Path) -> None:
    out = io.StringIO()
    supervisor = Supervisor(Printer(out), FAST)
    pid = await supervisor.start(child("victim", "import time; time.sleep(600)", tmp_path))
    os.kill(pid, signal.SIGKILL)
    await soon(lambda: "victim was ended by SIGKILL" in out.getvalue())
    await supervisor.stop()


def test_waiting_between_crashes_grows_up_to_a_bound() -> None:
    patience = Patience()
    assert [patience.delay(crashes) for crashes in (1, 2, 3, 6, 7, 500)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]


async def test_every_line_carries_the_name_of_who_said_it(tmp_path: Path) -> None:
    out = io.StringIO()
    supervisor = Supervisor(Printer(out), FAST)
    program = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(4)"
    assert await supervisor.run_once(child("speaker", program, tmp_path)) == 4
    await supervisor.stop()
    assert sorted(out.getvalue().splitlines()) == ["speaker  one", "speaker  two"]


def test_a_log_line_cannot_steer_the_terminal() -> None:
    out = io.StringIO()
    Printer(out).say("gw-1", "a\x1b]0;owned\x07\x9bb")
    assert out.getvalue() == "gw-1     a?]0;owned??b\n"


def test_a_line_without_an_end_is_cut() -> None:
    cutter = LineCutter()
    assert [len(line) for line in cutter.feed(b"x" * (LONGEST_LINE + 1))] == [LONGEST_LINE]
    assert cutter.end() == []


async def test_ranks_stop_one_after_the_other(tmp_path: Path) -> None:
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep({delay}); open('order', 'a').write('{name} '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); pathlib.Path('{name}').touch(); time.sleep(600)"
    )
    supervisor = Supervisor(Printer(io.StringIO()), FAST)
    for name, rank, delay in (("base", 0, 0), ("upper", 1, 0.3)):
        command = (sys.executable, "-c", program.format(name=name, delay=delay))
        await supervisor.start(Child(name, command, dict(os.environ), tmp_path, rank=rank))
    await soon(lambda: all((tmp_path / name).exists() for name in ("base", "upper")))
    await supervisor.stop()
    assert (tmp_path / "order").read_text() == "upper base "


class Product:
    """tests/config/fake_product.py, running."""

    def __init__(self, folder: Path, scene: str, *children: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, "-m", "tests.config.fake_product", folder, scene])
        until(lambda: all((folder / f"{name}.pid").exists() for name in children))
        until(lambda: all((folder / f"{name}.pid").read_text() for name in children))
        self.pids = [int((folder / f"{name}.pid").read_text()) for name in children]

    def is_gone(self) -> bool:
        return not any(lives(pid) for pid in self.pids)

    def clean_up(self) -> None:
        for pid in [self.process.pid, *self.pids]:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, "family", "parent", "grandchild")
    yield product
    product.clean_up()


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, "stubborn", "meek", "stubborn")
    yield product
    product.clean_up()


def test_no_orphan_is_left_after_sigterm(family: Product) -> None:
    family.process.terminate()
    assert family.process.wait(60) == 0
    assert family.is_gone()


def test_no_orphan_is_left_after_kill_9(family: Product) -> None:
    family.process.kill()
    family.process.wait(60)
    until(family.is_gone)


def test_a_child_that_ignores_sigterm_is_ended_all_the_same(stubborn: Product) -> None:
    stubborn.process.terminate()
    assert stubborn.process.wait(60) == 0
    assert stubborn.is_gone()


def test_a_child_that_ignores_sigterm_does_not_survive_kill_9_either(stubborn: Product) -> None:
    stubborn.process.kill()
    stubborn.process.wait(60)
    until(stubborn.is_gone)


def test_a_new_start_waits_until_the_leftovers_of_a_killed_one_are_gone(stubborn: Product) -> None:
    stubborn.process.kill()
    stubborn.process.wait(60)
    os.close(take_lock(stubborn.folder))
    until(stubborn.is_gone, 2.0)  # the kernel gives the lock back a moment before the process is gone
