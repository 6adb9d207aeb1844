"""The product itself under its supervisor: up, hurt, up again, and nothing left behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from config.supervisor.running import Running, find_running
from config.supervisor.stops import CannotStart
from tests.config.test_supervise import lives, until
from tests.config.test_up import ROOT, on_free_ports

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]


class Up:
    def __init__(self, data_dir: Path, log: Path) -> None:
        self.data_dir, self.log, self.flags = data_dir, log, on_free_ports()
        self.seen: set[int] = set()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "manage.py", "up", "--data-dir", str(self.data_dir), *self.flags]
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        until(lambda: "Ctrl-C stops it" in self.log.read_text() or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.log.read_text()
        self.seen |= descendants(self.process.pid)

    @property
    def running(self) -> Running:
        return find_running(self.data_dir)

    def left_behind(self) -> set[int]:
        return {pid for pid in self.seen if lives(pid)}

    def end(self, number: signal.Signals) -> None:
        self.seen |= descendants(self.process.pid)
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(30)


@pytest.fixture
def up(tmp_path: Path, plain_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    monkeypatch.setenv("WEB_PROCESSES", "2")
    # A space in the path is a favourite of strangers' home folders.
    product = Up(tmp_path / "a folder", tmp_path / "log")
    yield product
    if product.process.poll() is None:
        product.end(signal.SIGTERM)
    for pid in product.left_behind():
        os.kill(pid, signal.SIGKILL)


def test_the_product_survives_what_happens_to_processes(up: Up) -> None:
    everything_answers(up.running)
    assert stat.S_IMODE((up.data_dir / "run.json").stat().st_mode) == 0o600

    numbers = httpx.get(f"{up.running.internal_url}/metrics", timeout=60).text
    assert 'policylayer_requests_total{face="site",method="GET",route="(none)",status="4xx"} 1.0' in numbers
    assert 'policylayer_tasks_total{state="failure",task="gateway_config.tasks.sweep"}' in numbers

    port = up.running.web_url.rpartition(":")[2]
    web = next(pid for pid in children_of(up.process.pid) if f"--port {port} " in words_of(pid))
    killed, other = children_of(web)
    os.kill(killed, signal.SIGKILL)
    until(lambda: other in (now := children_of(web)) and killed not in now and len(now) == 2, 60)
    assert answers(up.running.web_url)
    assert "web ended" not in up.log.read_text()
    os.kill(web, signal.SIGKILL)
    until(lambda: "web was ended by SIGKILL" in up.log.read_text())
    until(lambda: answers(up.running.web_url), 60)

    masters = [pid for pid in children_of(up.process.pid) if "-m granian" in words_of(pid)]
    serving = [worker for master in masters for worker in children_of(master)]
    assert len(masters) == 2
    assert len(serving) >= 2
    os.kill(up.process.pid, signal.SIGSTOP)  # the supervisor can do nothing for them
    for master in masters:
        os.kill(master, signal.SIGKILL)
    until(lambda: not any(lives(pid) for pid in serving), 30)

    up.end(signal.SIGKILL)
    until(lambda: not up.left_behind(), 60)

    up.start()
    everything_answers(up.running)
    up.end(signal.SIGTERM)
    assert up.process.returncode == 0
    assert not up.left_behind()
    with pytest.raises(CannotStart, match="Nothing runs on"):
        find_running(up.data_dir)


def everything_answers(running: Running) -> None:
    for url in (running.web_url, running.internal_url, running.gateway_url):
        assert answers(url), url
    # Nothing of the internal API is on the web port.
    assert httpx.get(f"{running.web_url}/internal/v1/heads").status_code == 404


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for child in children_of(pid):
        found |= {child} | descendants(child)
    return found


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def words_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
