"""A small web server for pages rendered without a database, under the product's content security policy."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from django.template import engines

STATIC = Path(__file__).parents[2] / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Site:
    """Pages by path, and a stream that sends three rows a connection, beginning after Last-Event-ID.

    Every form leads to `leads_to`.
    """

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.resumed_after: list[str | None] = []
        self.address = ""
        self.leads_to = "/"
        self.streams_left: int | None = None  # how many are let in, if there is a bound


@contextmanager
def serving(pages: dict[str, str]) -> Iterator[Site]:
    site = Site(pages)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def _handler(site: Site) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/stream/":
                self._stream()
            elif path in site.pages:
                self._page(site.pages[path])
            else:
                self._file(path)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(303)
            self.send_header("Location", site.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _page(self, template: str) -> None:
            nonce = secrets.token_urlsafe(8)
            body = engines["django"].from_string(template).render({"csp_nonce": nonce}).encode()
            self._head("text/html; charset=utf-8", {"Content-Security-Policy": POLICY.format(nonce=nonce)})
            self.wfile.write(body)

        def _file(self, path: str) -> None:
            from django.contrib.staticfiles import finders

            found = finders.find(path.removeprefix("/static/"))
            if not isinstance(found, str):
                self.send_error(404)
                return
            file = Path(found)
            self._head(TYPES.get(file.suffix, "application/octet-stream"))
            self.wfile.write(file.read_bytes())

        def _stream(self) -> None:
            after = self.headers.get("Last-Event-ID")
            if site.streams_left == 0:
                self.send_error(429)
                return
            site.resumed_after.append(after)
            self._head("text/event-stream")
            for number in range(int(after or 0) + 1, int(after or 0) + 4):
                row = f'<li id="row-{number}">call {number}</li>'
                self.wfile.write(f": alive\n\nid: {number}\nevent: row\ndata: {row}\n\n".encode())
                time.sleep(0.05)

        def _head(self, kind: str, more: dict[str, str] | None = None) -> None:
            self.send_response(200)
            for name, value in {"Content-Type": kind, **(more or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
