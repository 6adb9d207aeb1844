"""The whole product as separate processes, each with a pid to kill and links to whatever it talks to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psycopg

from config.supervisor.access import SUPERUSER_PASSWORD
from config.supervisor.cluster import open_cluster
from config.supervisor.keys import Keys
from config.supervisor.lifeline import die_with_parent
from config.supervisor.options import read_options
from config.supervisor.product import ROOT, Product
from config.supervisor.supervise import Child
from tests import postgres, prepared
from tests.cluster.faults import Faults, Link
from tests.cluster.upstream import Recorder
from tests.journeys.api import Api, wait_until
from tests.ports import free_ports
from tests.redis_server import RedisServer

CONTROL: Final = ("internal", "worker", "web")
SOCKET: Final = ".s.PGSQL.5432"
START_WITHIN: Final = 300.0


class Process:
    """One of the product's processes, started as the supervisor would start it."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child, self.log = child, log
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    @property
    def lives(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.child.command,
                env=dict(self.child.environment),
                cwd=self.child.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def run(self) -> None:
        self.start()
        assert self._running is not None
        assert self._running.wait(120) == 0, self.words()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self.lives:
            self.send(signal.SIGKILL)
            assert self._running is not None
            self._running.wait(60)

    def words(self) -> str:
        return self.log.read_text()[-3000:] if self.log.exists() else ""


class Database:
    """PostgreSQL on a socket of its own, which can be killed with everything it started, and restarted."""

    # When it is killed, the operating system already has what it committed; no power cut is tried here.
    SETTINGS: Final = {**postgres.FAST, "synchronous_commit": "on"}

    def __init__(self, folder: Path, password: str) -> None:
        self._cluster = open_cluster(folder, password)
        self.folder = self._cluster.sockets
        self.url = self._cluster.url(password, "policylayer")
        self.start()

    def start(self) -> None:
        self._server = postgres.launch(self._cluster, self.SETTINGS)
        postgres.wait_until_ready(self._cluster, self._server)

    def kill(self) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(60)

    def close(self) -> None:
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(60)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Query as the owner, past the links."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), values).fetchall()


class Cluster:
    """The product's processes, stores and links. `links` maps `(who, what)` to the link between the two.

    Each process of the control plane has its own links to the database and to the broker, each gateway its
    own to the internal listener; all gateways share those to the limiter and to the upstream server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        gateways: int,
        tools: tuple[str, ...],
        limiter: str = "redis",
        clock: bool = False,
    ) -> None:
        """Start the stores. `clock`: the clock of the limiter's store can be set."""
        self._stack = ExitStack()
        self._folder = folder
        self.names = [f"gw-{number}" for number in range(1, gateways + 1)]
        self.faults = Faults()
        self._stack.callback(self.faults.close)
        self.upstream = Recorder(self.faults, tools)
        self._stack.callback(self.upstream.close)
        data = folder / "data"
        data.mkdir()
        prepared.copy_apart(keys=data, database=folder / "postgres")
        keys = Keys(data / "secrets.json", {})
        self.database = Database(folder / "postgres", keys[SUPERUSER_PASSWORD])
        self._stack.callback(self.database.close)
        self.broker, self.limiter = self._redis("broker"), self._redis("limiter", clock=clock)
        ports = free_ports(3 + gateways)
        self.ports = dict(zip(self.names, ports[3:], strict=True))
        self._web_port, self._internal_port = ports[0], ports[1]
        self.links: dict[tuple[str, str], Link] = {}
        self.product = self._product(data, keys, ports)
        self.processes = self._processes(limiter)
        for process in self.processes.values():
            self._stack.callback(process.kill)

    def _redis(self, name: str, *, clock: bool = False) -> RedisServer:
        (self._folder / name).mkdir()
        server = RedisServer(self._folder / name)
        if clock:
            server.with_settable_clock()
        server.start()
        self._stack.callback(server.kill)
        return server

    def _product(self, data: Path, keys: Keys, ports: list[int]) -> Product:
        flags = ["--data-dir", str(data), "--gateways", str(len(self.names))]
        flags += ["--port", str(ports[0]), "--internal-port", str(ports[1]), "--gateway-port", str(ports[2])]
        return Product(read_options(flags), keys, self.database.url, {"LOG_LEVEL": "info"})

    # ---- links
    def _link(self, who: str, what: str, to: tuple[str, int] | Path, at: Path | None = None) -> Link:
        link = self.links[who, what] = self.faults.link(to, at)
        return link

    def _processes(self, limiter: str) -> dict[str, Process]:
        counted = self._link("gateways", "limiter", ("127.0.0.1", self.limiter.port))
        self._link("gateways", "upstream", ("127.0.0.1", self.upstream.port))
        found: dict[str, Process] = {}
        for child in self.product.children():
            if child.name in CONTROL:
                own = self._of_the_control_plane(child)
            else:
                store = f"redis://127.0.0.1:{counted.port}/0" if limiter == "redis" else ""
                own = self._of_a_gateway(child.name, store)
            changed = replace(child, environment={**child.environment, **own})
            found[child.name] = Process(changed, self._folder / f"{child.name}.log")
        return found

    def _of_the_control_plane(self, child: Child) -> dict[str, str]:
        folder = self._folder / child.name
        folder.mkdir()
        self._link(child.name, "database", self.database.folder / SOCKET, at=folder / SOCKET)
        queue = self._link(child.name, "broker", ("127.0.0.1", self.broker.port))
        given = child.environment["DATABASE_URL"]
        return {
            "DATABASE_URL": given.replace(str(self.database.folder), str(folder)),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{queue.port}/0",
        }

    def _of_a_gateway(self, name: str, limiter: str) -> dict[str, str]:
        control = self._link(name, "internal", ("127.0.0.1", self._internal_port))
        own = {
            "GATEWAY_PORT": str(self.ports[name]),
            "GATEWAY_SHARED_PORT": "no",
            "CONTROL_URL": f"http://127.0.0.1:{control.port}",
            # Many repeats at once, on a busy machine: the test is about which may send, not about timeouts.
            "APPROVAL_ANSWER_MS": "10000",
        }
        return own | ({"LIMITER_URL": limiter} if limiter else {})

    # ---- life
    def start(self) -> None:
        Process(self.product.preparation(), self._folder / "prepare.log").run()
        for process in self.processes.values():
            process.start()
        for name in self.processes:
            self.wait_for(name)

    def wait_for(self, name: str, path: str = "/healthz") -> None:
        """Wait until it answers. A Celery worker has no port: its work is awaited where it matters."""
        port = {"web": self._web_port, "internal": self._internal_port, **self.ports}.get(name)
        if port is None:
            return
        process = self.processes[name]

        def answers() -> bool:
            assert process.lives, process.words()
            return _answers(f"http://127.0.0.1:{port}{path}")

        wait_until(answers, f"{name} does not answer:\n{process.words()}", START_WITHIN)

    def restart(self, name: str, path: str = "/healthz") -> float:
        """Kill and start it; return the seconds from starting it until it answers."""
        self.processes[name].kill()
        began = time.monotonic()
        self.processes[name].start()
        self.wait_for(name, path)
        return time.monotonic() - began

    def close(self) -> None:
        self._stack.close()

    # ---- what people do
    def api(self) -> Api:
        done = subprocess.run(
            [*(sys.executable, "manage.py", "bootstrap", "--json"),
             *("--email", "alice@example.com", "--organization", "Acme")],
            cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
            env={**os.environ, **self.product.management_environment()},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Api(self.product.web_url, json.loads(done.stdout)["api_key"])

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.links['gateways', 'upstream'].port}/mcp"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running_cluster(**shape: Any) -> Iterator[Cluster]:
    """Run a cluster in a folder of its own, with a short name because it holds unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="plc-"))
    folder.chmod(0o711)  # the account PostgreSQL runs as may enter it, not list it
    cluster: Cluster | None = None
    try:
        cluster = Cluster(folder, **shape)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
