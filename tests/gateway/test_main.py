"""A worker as in production, `python -m gateway`, with a control plane that speaks the internal API."""

import base64
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from common.tokens import GRANT, WORKER, new_token
from gateway_config.wire.approvals import NewsAnswer
from gateway_config.wire.messages import (
    BatchAnswer,
    Head,
    HeadsAnswer,
    Hello,
    HelloAnswer,
    LimiterAnswer,
    LimiterState,
    RecordBatch,
    SignedBundle,
)
from tests.gateway_config.wire.bundles import IAM, KEY, acme, signed
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_users", "arguments": {}},
}


class _Internal(BaseHTTPRequestHandler):
    plane: "Plane"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"Bearer {self.plane.token}":
            return self._answer(401, b"")
        if self.path.startswith("/internal/v1/heads"):
            time.sleep(0.2 if "wait=25" in self.path else 0)
            one = self.plane.bundle.envelope
            heads = HeadsAnswer(1, (Head(one.organization, one.revision, one.hash),))
            return self._answer(200, msgspec.json.encode(heads))
        if self.path.startswith("/internal/v1/approvals/news"):
            time.sleep(0.2)
            return self._answer(200, msgspec.json.encode(NewsAnswer(cursor=1)))
        return self._answer(200, msgspec.json.encode(self.plane.bundle))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/hello/"):
            self.plane.trouble = msgspec.json.decode(body, type=Hello).trouble
            return self._answer(200, msgspec.json.encode(HelloAnswer("gw-1")))
        if self.path.endswith("/decisions/"):
            batch = msgspec.json.decode(body, type=RecordBatch)
            self.plane.keep(batch.records)
            return self._answer(200, msgspec.json.encode(BatchAnswer(batch.records[-1].sequence)))
        if self.path.endswith("/limiter/"):
            state = msgspec.json.decode(body, type=LimiterState)
            return self._answer(200, msgspec.json.encode(LimiterAnswer(trust=state.doubt)))
        return self._answer(204, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a worker that was killed leaves broken pipes."""


class Plane:
    def __init__(self, bundle: SignedBundle) -> None:
        self.bundle = bundle
        self.token = new_token(WORKER)
        self.records: list[Any] = []
        self.trouble: str | None = None
        handler = type("Internal", (_Internal,), {"plane": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def keep(self, records: Sequence[Any]) -> None:
        """Keep each record once, as the control plane does: a worker resends what it got no answer for.

        Whole records are compared, because two workers started in the same second number theirs alike.
        """
        kept = {msgspec.json.encode(record) for record in self.records}
        self.records += [record for record in records if msgspec.json.encode(record) not in kept]

    def go_away(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Worker:
    def __init__(self, folder: Path, plane: Plane, port: int | None = None, **changes: str) -> None:
        self.port = port or free_port()
        self.metrics_port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(folder),
            "GATEWAY_PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "CONTROL_URL": plane.url,
            "WORKER_TOKEN": plane.token,
            "BUNDLE_KEYS": "b:" + base64.b64encode(bytes(32)).decode(),
            "VERIFY_KEYS": KEY.verify_key(),
            **changes,
        }

    def start(self, files: int | None = None, command: list[str] | None = None, **changes: str) -> None:
        def bounded() -> None:
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.process = subprocess.Popen(
            command or [sys.executable, "-m", "gateway"],
            cwd=ROOT,
            preexec_fn=bounded,
            env={**self.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path: str, port: int | None = None, **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{port or self.port}{path}"
        return httpx.get(url, headers=headers, trust_env=False, timeout=60)

    def call(self, token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        url = f"http://127.0.0.1:{self.port}/mcp/{IAM}/"
        return httpx.post(url, json=CALL, headers=headers, trust_env=False, timeout=60)

    def wait_until_ready(self, seconds: float = 60) -> float:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            try:
                if self.get("/readyz").status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError("the worker did not become ready")

    def stop(self, with_signal: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(with_signal)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def token() -> str:
    return new_token(GRANT)


@pytest.fixture
def plane(token: str) -> Iterator[Plane]:
    made = Plane(signed(acme(token=token), 1, not_before=int(time.time())))
    yield made
    made.go_away()


@pytest.fixture
def worker(tmp_path: Path, plane: Plane) -> Iterator[Worker]:
    made = Worker(tmp_path, plane)
    made.start()
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def test_a_worker_follows_decides_records_and_stops_clean(worker: Worker, plane: Plane, token: str) -> None:
    worker.wait_until_ready()
    assert worker.get("/healthz").text == "ok\n"
    assert worker.call(new_token(GRANT)).status_code == 401
    answer = worker.call(token).json()
    assert answer["result"]["isError"] is True
    assert answer["result"]["_meta"]["policylayer/decision"]["code"] == "not_available"
    metrics = worker.get("/metrics", worker.metrics_port).text
    assert 'policylayer_decisions_total{outcome="deny",code="default_deny"} 1' in metrics
    assert "policylayer_ready 1" in metrics
    assert "policylayer_recording 1" in metrics
    assert "policylayer_config_behind 0" in metrics
    assert 'policylayer_decisions_total{outcome="deny",code="record_unavailable"} 0' in metrics
    assert 'policylayer_refused_total{status="401"} 1' in metrics
    for counted in ("added", "upstream", "limiter", "call"):
        assert f'policylayer_{counted}_seconds_bucket{{le="+Inf"}}' in metrics
    numbers = dict(line.split(" ") for line in metrics.splitlines() if line[0] != "#")
    assert 0 <= float(numbers["policylayer_config_revision_age_seconds"]) < 60
    one = plane.bundle.envelope
    assert not any(name in metrics for name in (one.organization, IAM, "IAM", "list_users", token, one.hash))
    assert 0 <= float(numbers["policylayer_config_age_seconds"]) < 60
    assert "policylayer_spool_records" in numbers
    assert worker.get("/healthz", worker.metrics_port).text == "ok\n"
    assert worker.get("/readyz", worker.metrics_port).text == "ready\n"
    assert worker.get("/other", worker.metrics_port).status_code == 404
    led_here = worker.get("/metrics", worker.metrics_port, Host=f"evil.example:{worker.metrics_port}")
    assert (led_here.status_code, "policylayer" in led_here.text) == (403, False)
    status, out, err = worker.stop()
    assert (status, err) == (0, "")
    assert [record.code for record in plane.records] == ["default_deny"]
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["message"].startswith("serving on 127.0.0.1:")
    assert token not in out
    assert plane.token not in out


def test_killed_and_without_a_control_plane_it_serves_from_disk_and_ships_later(
    worker: Worker, plane: Plane, token: str
) -> None:
    worker.wait_until_ready()
    worker.stop(signal.SIGKILL)
    plane.go_away()
    worker.start()
    worker.wait_until_ready()
    assert worker.call(token).json()["result"]["isError"] is True
    status, _, _ = worker.stop()
    assert status == 0
    assert plane.records == []
    back = Plane(plane.bundle)
    worker.start(CONTROL_URL=back.url, WORKER_TOKEN=back.token)
    worker.wait_until_ready()
    for _ in range(1_200):
        if back.records:
            break
        time.sleep(0.05)
    back.go_away()
    assert [record.tool for record in back.records] == ["list_users"]


def test_a_worker_that_cannot_record_says_so_to_the_control_plane_and_to_prometheus(
    worker: Worker, plane: Plane, tmp_path: Path
) -> None:
    def told(trouble: str, recording: int) -> bool:
        metrics = worker.get("/metrics", worker.metrics_port).text
        return plane.trouble == trouble and f"policylayer_recording {recording}\n" in metrics

    def until_told(trouble: str, recording: int) -> None:
        for _ in range(600):
            if told(trouble, recording):
                return
            time.sleep(0.1)
        raise AssertionError(plane.trouble)

    worker.wait_until_ready()
    until_told("", 1)
    (spool,) = next(tmp_path.rglob("spool")).iterdir()
    moved = spool.rename(tmp_path / "moved")
    until_told("disk", 0)
    moved.rename(spool)
    until_told("", 1)


def _refused(worker: Worker, **changes: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=ROOT,
        env={**worker.environment, **changes},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.count("\n") == 1
    assert "Traceback" not in finished.stderr + finished.stdout
    return finished.stderr


def test_a_worker_with_few_files_serves_on_however_many_connections_stand_idle(
    plane: Plane, tmp_path: Path, token: str
) -> None:
    bounded = Worker(tmp_path / "few", plane)
    bounded.start(files=340)
    try:
        bounded.wait_until_ready()
        idle = [socket.create_connection(("127.0.0.1", bounded.port)) for _ in range(300)]
        assert bounded.get("/readyz").status_code == 200
        assert bounded.call(token).status_code == 200
        for one in idle:
            one.close()
    finally:
        code, out, err = bounded.stop()
    assert (code, err) == (0, "")
    assert "gave way to newcomers" in out
    assert "Too many open files" not in out


def test_what_keeps_it_from_starting_is_one_sentence(worker: Worker, tmp_path: Path) -> None:
    worker.wait_until_ready()
    assert "GATEWAY_PORT must be a port" in _refused(worker, GATEWAY_PORT="eighty")
    assert "already runs on" in _refused(worker)
    elsewhere = str(tmp_path / "elsewhere")
    assert f"GATEWAY_PORT {worker.port} cannot be listened on" in _refused(
        worker, DATA_DIR=elsewhere, METRICS_PORT=""
    )
    assert "METRICS_PORT" in _refused(worker, DATA_DIR=elsewhere, GATEWAY_PORT=str(free_port()))
    (tmp_path / "file").write_text("in the way")
    assert "DATA_DIR cannot be written to" in _refused(worker, DATA_DIR=str(tmp_path / "file"))


def test_a_limiter_s_file_that_cannot_be_written_is_named_at_the_start(
    worker: Worker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    limits = tmp_path / "file" / "limits.sqlite3"
    elsewhere = {"DATA_DIR": str(tmp_path / "elsewhere"), "LIMITER_URL": f"sqlite:///{limits}"}
    said = _refused(worker, **elsewhere, METRICS_PORT="", GATEWAY_PORT=str(free_port()))
    assert said.startswith(f"the limiter's file cannot be written to: {limits}: ")
    assert "LIMITER_URL" in said and "DATA_DIR" in said


def test_the_data_plane_runs_without_the_control_planes_packages() -> None:
    forbidden = ("django", "rest_framework", "celery", "psycopg", "kombu")
    blocker = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {forbidden!r}:
            raise ImportError('the data plane imports ' + name)
sys.meta_path.insert(0, Blocker())
import gateway.__main__
"""
    done = subprocess.run(
        [sys.executable, "-c", blocker], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
