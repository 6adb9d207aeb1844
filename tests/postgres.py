"""The PostgreSQL of a test run: private, on a socket of its own, removed at the end.

It can be imported before Django's settings exist, and `start()` may be called any number of times.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from config.supervisor.account import identity
from config.supervisor.cluster import Cluster, answers, open_cluster
from config.supervisor.lifeline import die_with_parent

VARIABLE = "POLICYLAYER_TEST_DATABASE_URL"
# Nothing here outlives the run, so nothing has to survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
NOTHING_MORE: Mapping[str, str] = {}


def start() -> str:
    """The admin URL. With pytest-xdist the controller starts the server; its workers inherit the variable."""
    if not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = start_private()
    return os.environ[VARIABLE]


def start_private(settings: Mapping[str, str] = NOTHING_MORE) -> str:
    folder = Path(tempfile.mkdtemp(prefix="policylayer-test-"))
    folder.chmod(0o711)  # the account PostgreSQL runs as may enter it, not list it
    cluster = open_cluster(folder / "postgres", "tests-only", durable=False)
    server = launch(cluster, {**FAST, **settings})
    atexit.register(_stop, server, folder, os.getpid())
    wait_until_ready(cluster, server)
    return cluster.url("tests-only", "postgres")


def wait_until_ready(cluster: Cluster, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while not answers(cluster, server.pid):
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the tests' PostgreSQL did not come up; its own words are above")
        time.sleep(0.02)


def launch(cluster: Cluster, settings: Mapping[str, str] = FAST) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        cluster.command(settings),
        cwd=cluster.data,
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGQUIT),
        **identity(cluster.account),
    )


def _stop(server: subprocess.Popen[bytes], folder: Path, started_by: int) -> None:
    if os.getpid() != started_by:
        return
    server.send_signal(signal.SIGQUIT)
    server.wait(60)
    shutil.rmtree((folder / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
