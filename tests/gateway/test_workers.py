"""Several workers as in production: one port, one limit, and each may stop at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from common.tokens import GRANT, new_token
from gateway_config.wire.messages import CompletionEntry, DecisionEntry
from tests.gateway.limiters import trusted_file
from tests.gateway.test_main import Plane, Worker
from tests.gateway_config.wire.bundles import IAM, acme, signed
from tests.ports import free_port

CALLS = 60
LIMIT = 30
AT_ONCE = 4
HEADERS = {"Accept": "application/json, text/event-stream"}


class Recorder(ThreadingHTTPServer):
    """A server that counts the calls it gets; slow ones are answered once `go` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.go = threading.Event()
        super().__init__(("127.0.0.1", 0), _Answers)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a worker that was killed leaves broken pipes."""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.arrived[call["params"]["arguments"]["number"]] += 1
        if call["params"]["arguments"].get("slow"):
            self.server.go.wait(60)
        body = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"content": []}}).encode()
        self._send("application/json", body)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"8\r\n: here\n\n\r\n")
        self.wfile.flush()
        self.server.go.wait(60)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.go.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def token() -> str:
    return new_token(GRANT)


@pytest.fixture
def plane(token: str, recorder: Recorder) -> Iterator[Plane]:
    bundle = acme(token=token)
    url = f"http://127.0.0.1:{recorder.server_port}/mcp"
    server = msgspec.structs.replace(bundle.servers[0], upstream_url=url)
    made = Plane(signed(msgspec.structs.replace(bundle, servers=(server,)), 1, not_before=int(time.time())))
    yield made
    made.go_away()


@pytest.fixture
def workers(tmp_path: Path, plane: Plane) -> Iterator[list[Worker]]:
    port = free_port()
    shared = {
        "GATEWAY_SHARED_PORT": "yes",
        "LIMITER_URL": f"sqlite:///{trusted_file(tmp_path / 'limiter.sqlite3')}",
        "HANDOVER_DIR": str(tmp_path / "doors"),
        "EGRESS_ALLOW_PRIVATE": "127.0.0.0/8",
    }
    made = [Worker(tmp_path / name, plane, port, WORKER_NAME=name, **shared) for name in ("gw-1", "gw-2")]
    yield made
    for worker in made:
        if hasattr(worker, "process") and worker.process.poll() is None:
            worker.process.kill()
            worker.process.communicate()


def _start(*workers: Worker) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        _wait_for(worker)


def _wait_for(worker: Worker) -> None:
    """Wait on the worker's own port: on the shared one the other worker may answer."""

    def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return worker.get("/readyz", worker.metrics_port).status_code == 200
        return False

    _until(ready)


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def _call(worker: Worker, token: str, number: str, **more: Any) -> str:
    """Call on a new connection; return "allowed", the code of the denial, or "broken"."""
    params = {"name": "create_access_key", "arguments": {"number": number, **more}}
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    url = f"http://127.0.0.1:{worker.port}/mcp/{IAM}/"
    headers = HEADERS | {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.post(url, json=message, headers=headers, trust_env=False, timeout=60)
    except httpx.TransportError:
        return "broken"
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    return str(result["_meta"]["policylayer/decision"]["code"]) if result.get("isError") else "allowed"


def _entries(plane: Plane, kind: type) -> list[Any]:
    return [record for record in list(plane.records) if isinstance(record, kind)]


def _allowed(plane: Plane) -> int:
    return len({entry.id for entry in _entries(plane, DecisionEntry) if entry.outcome == "allow"})


def test_killed_in_the_middle_one_worker_costs_its_own_calls_and_no_verdict(
    workers: list[Worker], plane: Plane, recorder: Recorder, token: str
) -> None:
    first, _ = workers
    _start(*workers)
    done = Counter[str]()
    counting = threading.Lock()

    def one(number: int) -> str:
        outcome = _call(first, token, f"n{number}")
        with counting:
            done[outcome] += 1
            if sum(done.values()) == CALLS // 6:
                os.kill(first.process.pid, signal.SIGKILL)
        return outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = dict(enumerate(pool.map(one, range(CALLS))))
    assert first.process.wait(60) == -signal.SIGKILL
    # On a very busy machine the limiter may not answer in time: then a call is denied, never let through.
    late = done["limiter_unavailable"]
    assert done["allowed"] + done["limit_exceeded"] + done["broken"] + late == CALLS, done
    # Calls that came after those under way reached the other worker.
    assert done["broken"] <= AT_ONCE
    assert recorder.arrived.total() <= LIMIT
    assert set(recorder.arrived.values()) == {1}
    assert all(recorder.arrived[f"n{number}"] for number, out in outcomes.items() if out == "allowed")
    # A broken call may have been charged: then one fewer is allowed, never one more.
    assert LIMIT - done["broken"] - late <= done["allowed"] <= LIMIT

    _start(first)
    _until(lambda: _call(first, token, "again") == "limit_exceeded")
    _until(lambda: _allowed(plane) >= recorder.arrived.total())
    for worker in workers:
        assert worker.stop()[0] == 0
    # A killed worker may send the same record twice, word for word; the control plane keeps one of each.
    decisions = set(_entries(plane, DecisionEntry))
    assert len({entry.id for entry in decisions}) == len(decisions)
    allowed = [entry for entry in decisions if entry.outcome == "allow"]
    # A record is written before its call is forwarded: no call arrived without one.
    assert recorder.arrived.total() <= len(allowed) <= LIMIT
    assert {entry.code for entry in decisions - set(allowed)} <= {"limit_exceeded", "limiter_unavailable"}
    assert done["limit_exceeded"] + late + 1 <= len(decisions) - len(allowed)
    completed = {entry.id for entry in _entries(plane, CompletionEntry)}
    assert completed <= {entry.id for entry in allowed}
    # How a call ended is written just after its answer, so the last of these may be lost.
    assert len(allowed) - len(completed) <= AT_ONCE


def test_a_worker_told_to_stop_finishes_its_call_ends_its_stream_and_leaves_the_port_to_the_other(
    workers: list[Worker], recorder: Recorder, token: str
) -> None:
    leaving, staying = workers
    _start(leaving)
    headers = HEADERS | {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{leaving.port}/mcp/{IAM}/"
    with (
        ThreadPoolExecutor(1) as pool,
        httpx.Client(trust_env=False, timeout=60) as client,
        client.stream("GET", url, headers=headers) as stream,
    ):
        slow = pool.submit(_call, leaving, token, "slow", slow=True)
        _until(lambda: recorder.arrived["slow"] == 1)
        _start(staying)
        leaving.process.send_signal(signal.SIGTERM)
        assert b"".join(stream.iter_raw()) == b": here\n\nretry: 1000\n\n"
        # It accepts no more connections: new ones reach the other worker.
        assert {_call(staying, token, f"later{number}") for number in range(8)} == {"allowed"}
        assert leaving.process.poll() is None
        recorder.go.set()
        assert slow.result(60) == "allowed"
    out, _ = leaving.process.communicate(timeout=60)
    assert leaving.process.returncode == 0
    assert "EGRESS_ALLOW_PRIVATE lets servers be called in these private networks: 127.0.0.0/8" in out
    _start(leaving)
    assert recorder.arrived["slow"] == 1
