"""Scans beside each other and beside whoever changes their server, each on a connection of its own."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection, transaction

from accounts.models import Membership
from common import alone
from servers import tasks
from servers.models import Server, Tool, ToolScan
from servers.scanning import MOST_RUNNING, run_scan
from servers.services import MOST_SCANS_AT_ONCE, change_server, register_server, start_scan
from tests.cast import Cast, confirm, inside
from tests.fixtures.servers.start import running_toy
from tests.meanwhile import somebody_waits_for_us, until
from tests.roles import as_worker, become

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "Bearer for the new address alone"
PASSED_ON = {"accept", "content-type", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"}


class Listening(ThreadingHTTPServer):
    """Keeps the credentials it is sent; answers once it may, as the server behind it does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[str] = []
        self.behind = ""
        self.asked, self.may_answer = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mcp"


class _Handler(BaseHTTPRequestHandler):
    server: Listening

    def do_POST(self) -> None:
        self.server.heard.append(self.headers.get("Authorization", ""))
        self.server.asked.set()
        self.server.may_answer.wait(60)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
        if not self.server.behind:
            self.send_error(500)
            return
        asked = urllib.request.Request(self.server.behind, body or None, sent, method=self.command)
        try:
            answer = urllib.request.urlopen(asked)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            said = answer.read()
        self.send_response(answer.status)
        for name in PASSED_ON & {name.lower() for name in answer.headers}:
            self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_DELETE = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def old() -> Iterator[Listening]:
    with Listening() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.may_answer.set()
        server.shutdown()


def beside(act: Callable[[], object]) -> threading.Thread:
    """By the worker, on a connection of its own."""

    def run() -> None:
        try:
            become("policylayer_worker")
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_credential_that_comes_with_a_new_address_is_not_sent_to_the_old_one(
    cast: Cast, old: Listening
) -> None:
    old.may_answer.set()
    with inside(cast.alice):
        server = register_server(cast.alice, "Toy", old.url, {"Authorization": "Bearer for the old"})
        scan = start_scan(cast.alice, server)
    with running_toy() as new:
        with transaction.atomic(), inside(cast.alice):
            change_server(cast.alice, server, upstream_url=new.url, headers={"Authorization": NEW})
            visit = beside(lambda: run_scan(scan.pk))
            until(somebody_waits_for_us)
        visit.join()
    assert NEW not in old.heard


@pytest.mark.parametrize("answers", [True, False])
def test_what_comes_of_an_address_that_is_the_servers_no_more_is_not_kept(
    cast: Cast, old: Listening, answers: bool
) -> None:
    with running_toy("--json") as before, running_toy("--many") as toy:
        old.behind = before.url if answers else ""
        with inside(cast.alice):
            server = register_server(cast.alice, "Toy", old.url)
            scan = start_scan(cast.alice, server)
        visit = beside(lambda: run_scan(scan.pk))
        assert old.asked.wait(60)
        with inside(cast.alice):
            change_server(cast.alice, server, upstream_url=toy.url)
            newer = start_scan(cast.alice, server)
        beside(lambda: run_scan(newer.pk)).join()
        old.may_answer.set()
        visit.join()
    with inside(cast.alice):
        scan.refresh_from_db()
        newer.refresh_from_db()
        assert (scan.state, scan.code, newer.state) == ("failed", "changed", "done")
        assert Server.objects.get(pk=server.pk).status == "ready"
        assert Tool.objects.present().filter(server=server).count() == newer.tools_found


THREADS = 8


@contextmanager
def task_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many as a worker has; a scan that is started waits for one of them."""
    with ThreadPoolExecutor(THREADS) as threads:

        def work(scan_id: str) -> None:
            beside(lambda: tasks.run_scan(scan_id)).join()

        def send(task: str, given: tuple[str, ...]) -> None:
            if task == tasks.run_scan.name:
                threads.submit(work, *given)

        monkeypatch.setattr("config.celery.app.send_task", send)
        yield


def asked_for(by: Membership, name: str, url: str) -> ToolScan:
    with inside(by):
        scan = start_scan(by, register_server(by, name, url))
        tasks.enqueue_scan(scan)
    return scan


def states(of: Membership) -> Counter[str]:
    with inside(of):
        return Counter(ToolScan.objects.values_list("state", flat=True))


def test_while_an_organizations_scans_hang_the_others_begin_and_its_own_are_done_later(
    cast: Cast, old: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(cast.alice)
    with task_threads(monkeypatch), running_toy() as toy:
        for number in range(MOST_SCANS_AT_ONCE):
            asked_for(cast.alice, f"Hangs {number}", old.url)
        hanging = {"running": MOST_RUNNING, "waiting": MOST_SCANS_AT_ONCE - MOST_RUNNING}
        until(lambda: states(cast.alice) == hanging)
        asked_for(cast.mallory, "Toy", toy.url)
        until(lambda: states(cast.mallory) == {"done": 1})
        assert states(cast.alice) == hanging
        old.may_answer.set()
        until(lambda: states(cast.alice) == {"failed": MOST_SCANS_AT_ONCE})


def test_a_scan_that_found_no_place_begins_as_soon_as_another_organizations_ends(
    cast: Cast, old: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(cast.alice)
    monkeypatch.setitem(alone._OUTSIDE, alone.SCANNING, threading.BoundedSemaphore(1))
    with task_threads(monkeypatch), running_toy() as toy:
        asked_for(cast.alice, "Hangs", old.url)
        assert old.asked.wait(60)
        asked_for(cast.mallory, "Toy", toy.url)
        assert states(cast.mallory) == {"waiting": 1}
        old.may_answer.set()
        until(lambda: states(cast.mallory) == {"done": 1})


def test_of_many_scans_that_wait_for_a_place_nobody_elses_is_lost(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AT_ONCE", 2)
    monkeypatch.setattr(tasks, "LOST_AFTER", timedelta())
    started: list[str] = []
    with inside(cast.alice):
        toy = register_server(cast.alice, "Toy", "http://127.0.0.1:1/mcp")
        first, *_ = [start_scan(cast.alice, toy) for _ in range(3)]
    with inside(cast.mallory):
        toy = register_server(cast.mallory, "Toy", "http://127.0.0.1:1/mcp")
        lost = start_scan(cast.mallory, toy)
    monkeypatch.setattr("config.celery.app.send_task", lambda _, given: started.extend(given))
    with as_worker():
        tasks.sweep_scans()
    assert started == [str(first.pk), str(lost.pk)]
