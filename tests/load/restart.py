"""Measures how soon a killed gateway is ready again from its disk while the control plane is away.

    python -m tests.load.restart [--organizations 1000] [--rounds 5]

From starting the process to the first 200 from /readyz, polled every 10 ms. For comparison, the same process
with an empty disk until /healthz answers: what starting Python and listening take alone.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID

import httpx

from common.tokens import GRANT, new_token
from gateway.config_files import ConfigFiles
from gateway_config.wire.messages import SignedBundle
from tests.gateway.test_main import Plane, Worker
from tests.gateway_config.wire.bundles import acme, signed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.organizations, given.rounds)


def measure(folder: Path, organizations: int, rounds: int) -> None:
    bundles = [_bundle(number) for number in range(organizations)]
    _keep(folder / "full", bundles)
    plane = Plane(bundles[0])
    full, empty = Worker(folder / "full", plane), Worker(folder / "empty", plane)
    plane.go_away()
    ready, plain = [], []
    for _ in range(rounds):
        plain.append(_seconds(empty, "/healthz"))
        ready.append(_seconds(full, "/readyz"))
    print(f"{organizations} organizations, {rounds} rounds, medians")
    print(f"killed, started, ready from disk  {statistics.median(ready):.2f} s (slowest {max(ready):.2f})")
    print(f"the process with nothing on disk  {statistics.median(plain):.2f} s")


def _bundle(number: int) -> SignedBundle:
    organization = str(UUID(int=0x01A1FD5A_2C7E_7166_0000_000000000000 + number))
    bundle = acme(organization=organization, token=new_token(GRANT), grants=10, lease_seconds=86_400)
    return signed(bundle, 1, not_before=int(time.time()))


def _keep(data: Path, bundles: list[SignedBundle]) -> None:
    folder = data / "gw-1" / "config"
    folder.parent.mkdir(parents=True)
    files = ConfigFiles(folder)
    for bundle in bundles:
        files.keep(bundle.envelope, bundle.body.encode())


def _seconds(worker: Worker, path: str) -> float:
    worker.start()
    began = time.monotonic()
    while not _is_200(worker, path):
        assert worker.process.poll() is None
        time.sleep(0.01)
    seconds = time.monotonic() - began
    worker.stop(signal.SIGKILL)
    return seconds


def _is_200(worker: Worker, path: str) -> bool:
    try:
        return worker.get(path).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
