"""A real Redis for a test: on a free loopback port, in a temporary folder, stopped at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from config.supervisor.lifeline import die_with_parent
from tests.ports import free_port

CLOCK = Path(__file__).parent / "fixtures" / "settable_clock.c"
FOUND = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(FOUND is None, reason="there is no redis-server")
COMPILER = shutil.which("cc")
needs_settable_clock = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}


class RedisServer:
    """A Redis that may be killed and started again: its port and folder stay the same."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = {**DURABLE, **settings}
        self._clock: Path | None = None
        self._surroundings: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def with_settable_clock(self) -> None:
        """Give it a clock that can be set; call this before start(). See tests/fixtures/settable_clock.c."""
        assert COMPILER is not None
        made = self.folder / "settable_clock.so"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", str(made), str(CLOCK)], check=True)
        self._clock = self.folder / "clock"
        self._clock.write_bytes(bytes(8))
        self._surroundings = {"LD_PRELOAD": str(made), "POLICYLAYER_TESTS_CLOCK": str(self._clock)}

    def set_clock(self, seconds: float) -> None:
        """Move its clock so many seconds from the machine's, from now on."""
        assert self._clock is not None
        with self._clock.open("r+b") as file:
            file.write(round(seconds * 1e6).to_bytes(8, sys.byteorder, signed=True))

    def start(self) -> None:
        assert FOUND is not None
        options = [part for name, value in self._settings.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [FOUND, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *options],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self._surroundings},
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                self.client().ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()
