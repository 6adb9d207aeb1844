"""A server is changed while it is looked at, each on a connection of its own."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection, transaction

from servers.models import Server, Tool
from servers.scanning import run_scan
from servers.services import change_server, register_server, start_scan
from tests.cast import Cast, inside
from tests.fixtures.servers.start import running_toy
from tests.roles import become

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


def until_somebody_waits_for_us() -> None:
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


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
            until_somebody_waits_for_us()
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
