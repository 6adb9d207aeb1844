"""Runs the whole product as a user starts it, on free ports and in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests import prepared
from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class RunningProduct:
    web: str
    gateway: str
    internal: str
    data_dir: Path
    pid: int

    def as_gateway(self, path: str, message: object) -> Any:
        """Send a message to the internal API as gw-1 would; return the answer."""
        keys = json.loads((self.data_dir / "secrets.json").read_text())
        asked = urllib.request.Request(
            f"{self.internal}/internal/v1/{path}",
            data=msgspec.json.encode(message),
            headers={"Authorization": f"Bearer {keys['WORKER_TOKEN gw-1']}"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def bootstrap(self, email: str = "alice@example.com", organization: str = "Acme") -> dict[str, Any]:
        """Create an owner with an API key, as automation does."""
        done = subprocess.run(
            [
                *(sys.executable, "manage.py", "bootstrap", "--json", "--data-dir", str(self.data_dir)),
                *("--email", email, "--organization", organization),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        made: dict[str, Any] = json.loads(done.stdout)
        return made


@contextmanager
def running_product(
    folder: Path,
    *,
    gateways: int = 1,
    surroundings: Mapping[str, str] | None = None,
    from_scratch: bool = False,
) -> Iterator[RunningProduct]:
    """Run the product. `surroundings` are more environment variables. `from_scratch`: it makes its own
    database, which survives a power cut as it does for users; a prepared copy does not."""
    ports = free_ports(3)
    data_dir, log = folder / "data", folder / "product.log"
    command = [
        *(sys.executable, "manage.py", "up", "--data-dir", str(data_dir), "--gateways", str(gateways)),
        *("--port", str(ports[0]), "--internal-port", str(ports[1]), "--gateway-port", str(ports[2])),
    ]
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    kept |= surroundings or {}
    with ExitStack() as copied, log.open("wb") as output:
        if not from_scratch and not data_dir.exists():
            copied.callback(shutil.rmtree, prepared.copy_into(data_dir), ignore_errors=True)
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=kept)
        try:
            web, gateway = f"http://localhost:{ports[0]}", f"http://127.0.0.1:{ports[2]}"
            _wait(process, log, f"{web}/readyz")
            _wait(process, log, f"{gateway}/healthz")
            internal = f"http://127.0.0.1:{ports[1]}"
            yield RunningProduct(web, gateway, internal, data_dir, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=120)


def _wait(process: subprocess.Popen[bytes], log: Path, url: str) -> None:
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until:
        assert process.poll() is None, f"the product stopped:\n{log.read_text()[-4000:]}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer:\n{log.read_text()[-4000:]}")
