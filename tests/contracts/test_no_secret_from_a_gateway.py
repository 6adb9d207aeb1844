"""Canaries for every kind of secret go through a gateway, started as in production: none comes out again."""

from __future__ import annotations

import base64
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from common.sealing import Keyring
from common.tokens import GRANT, new_token, token_hash
from gateway_config.wire.bundle import PATH as PATH_MEMBER
from gateway_config.wire.bundle import QUERY as QUERY_MEMBER
from gateway_config.wire.bundle import Bundle, BundleGrant, BundleServer, BundleTool
from tests.gateway.test_main import Plane, Worker, _Internal
from tests.gateway_config.wire.bundles import ACME, IAM, REVISION, acme, an_id, signed

KEY: Final = base64.b64encode(b"canary-of-a-key-32-bytes-long-ok").decode()
CREDENTIAL: Final = "canary-upstream-credential-7711"
ARGUMENT: Final = "canary-argument-7712"
QUERY: Final = "canary-query-7713"
PATH: Final = "canary-path-7714"
BODY: Final = "canary-body-7714"
TOOLS: Final = (
    "fine",
    "limited",
    "denied",
    "approved",
    "crashes",
    "crashes_later",
    "refuses",
    "breaks",
    "html",
    "vanishes",
    "redirects",
    "large",
    "compressed",
    "streams",
    "breaks_off",
    "redirects_back",
    "not_found",
)
POLICY: Final = json.dumps(
    {
        "version": "1",
        "default": "deny",
        "tools": {
            **{name: {} for name in TOOLS},
            "limited": {"limits": [{"counter": "c", "window": "hour", "max": 1, "scope": "grant"}]},
            "denied": {"deny_if": [{"conditions": [{"path": "args.a", "op": "exists", "value": True}]}]},
            "undecided": {"deny_if": [{"conditions": [{"path": "args.a", "op": "gt", "value": 1}]}]},
            "approved": {"action": "require_approval"},
        },
    }
)
# What the worker runs here: the product, with a fault that we add to two tools.
FAULTY: Final = """
import sys
from gateway import pipeline, relay
decide, send = pipeline.decide_tool, relay.Relay.send_at_once
def judge(compiled, call):
    if getattr(call, "tool", "") == "crashes":
        raise RuntimeError(f"while judging {call!r}")
    return decide(compiled, call)
def forward(self, visit, told, reader):
    if visit.subject == "crashes_later":
        raise RuntimeError(f"while sending {visit.arguments!r} with {self._pool(visit).target.fixed!r}")
    return send(self, visit, told, reader)
pipeline.decide_tool, relay.Relay.send_at_once = judge, forward
from gateway.__main__ import main
sys.exit(main())
"""


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tool = asked.get("params", {}).get("name", "")
        self.echo = f"{self.path} {self.headers} {json.dumps(asked)}"
        answer = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": {"content": []}}).encode()
        getattr(self, f"_{tool}", lambda whole: self._send(200, whole))(answer)

    def _send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _refuses(self, _: bytes) -> None:
        one_line = " ".join(self.echo.split())
        self._send(401, self.echo.encode(), WWW_Authenticate=f'Bearer error="{one_line}"')

    def _breaks(self, _: bytes) -> None:
        self._send(500, self.echo.encode(), "text/plain")

    def _html(self, _: bytes) -> None:
        self._send(200, f"<h1>{self.echo}</h1>".encode(), "text/html")

    def _vanishes(self, _: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        self.close_connection = True

    def _redirects(self, _: bytes) -> None:
        self._send(302, b"", Location=f"http://127.0.0.1:9/{QUERY}?{CREDENTIAL}")

    def _redirects_back(self, _: bytes) -> None:
        self._send(307, b"", Location=self.path)

    def _large(self, _: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + CREDENTIAL.encode() + b"x" * 100_000)
        self.close_connection = True

    def _compressed(self, _: bytes) -> None:
        self._send(200, self.echo.encode(), Content_Encoding="gzip")

    def _streams(self, whole: bytes) -> None:
        self._send(200, b"data: " + whole + b"\n\n", "text/event-stream")

    def _breaks_off(self, _: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: begun\n\ndata: {")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mcp/{PATH}?key={QUERY}"
    server.shutdown()
    server.server_close()


class _ForgetfulInternal(_Internal):
    """A control plane that quotes the request where an answer belongs."""

    def do_POST(self) -> None:
        if "/approvals/" not in self.path:
            return super().do_POST()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        state = "none" if self.path.endswith("/claim/") else body
        return self._answer(200, json.dumps({"state": state}).encode())


def _bundle(url: str, tokens: dict[str, str]) -> Bundle:
    urls = {
        "fine": url,
        "closed": f"http://127.0.0.1:9/mcp?key={QUERY}",
        "no TLS": url.replace("http:", "https:"),
        "nowhere": f"http://no-such-name.invalid/mcp?key={QUERY}",
        "inside": f"http://169.254.169.254/mcp?key={QUERY}",
    }
    base = acme(document=POLICY)
    tools = tuple(BundleTool(name, "d") for name in (*TOOLS, "undecided"))
    servers = tuple(
        BundleServer(
            id=_id_of(name),
            name=name,
            upstream_url=where.partition(PATH)[0].partition("?")[0],
            tools=tools,
            credentials=_sealed(_id_of(name), where),
        )
        for name, where in urls.items()
    )
    grants = tuple(
        BundleGrant(
            id=an_id(200 + number),
            token_sha256=token_hash(tokens[name]),
            server=_id_of(name),
            policy=REVISION,
        )
        for number, name in enumerate(urls)
    )
    return msgspec.structs.replace(base, servers=servers, grants=grants)


SERVERS: Final = ("fine", "closed", "no TLS", "nowhere", "inside")


def _id_of(server: str) -> str:
    return IAM if server == "fine" else an_id(50 + SERVERS.index(server))


def _sealed(server: str, url: str) -> str:
    query, rest = url.partition("?")[2], PATH if PATH in url else ""
    parts = {"Authorization": f"Bearer {CREDENTIAL}", QUERY_MEMBER: query, PATH_MEMBER: rest}
    secret = json.dumps(parts).encode()
    return Keyring.parse(f"b:{KEY}").seal(
        secret, organization=ACME, subject=server, purpose="upstream-headers"
    )


class Heard:
    def __init__(self, worker: Worker, tokens: dict[str, str]) -> None:
        self.worker, self.tokens = worker, tokens
        self.answers: list[str] = []
        self.codes: set[str] = set()

    def ask(self, server: str, body: Any, method: str = "POST", **headers: str) -> None:
        url = f"http://127.0.0.1:{self.worker.port}/mcp/{_id_of(server)}/"
        sent = {
            "Authorization": f"Bearer {self.tokens[server]}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx.request(method, url, content=data, headers=sent, trust_env=False, timeout=30)
        self.answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
        for word in answer.text.replace('"', " ").split():
            if word.startswith("upstream_") or word.endswith(("_unavailable", "_error", "_exceeded")):
                self.codes.add(word)

    def call(self, tool: str, server: str = "fine", **more: Any) -> None:
        params = {"name": tool, "arguments": {"a": ARGUMENT, "deep": [{"b": ARGUMENT}]}, **more}
        self.ask(server, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def _everything_goes_wrong(heard: Heard) -> None:
    for tool in (*TOOLS, "undecided", "unknown"):
        heard.call(tool)
    # A new store of limits is in doubt until the control plane has said there never was another.
    until = time.monotonic() + 120
    while "limit_exceeded" not in heard.codes and time.monotonic() < until:
        heard.call("limited")
    for server in SERVERS[1:]:
        heard.call("fine", server)
        heard.ask(server, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": BODY}})
    token = heard.tokens["fine"]
    heard.ask("fine", f'{{"{BODY}": 1, "{BODY}": 2}}'.encode())
    heard.ask("fine", f'{{"{BODY}'.encode())
    heard.ask("fine", [{"method": BODY}])
    heard.ask("fine", {"jsonrpc": "2.0", "id": 1, "method": BODY})
    heard.ask("fine", b"{}", Content_Type=f"text/{BODY}")
    heard.ask("fine", b"{}", Authorization=f"Basic {token}")
    heard.ask("fine", b"{}", Authorization=f"Bearer {token}x")
    heard.ask("fine", b"{}", Origin=f"https://{BODY}.example")
    heard.ask("fine", b"{}", Host=f"{BODY}.example")
    heard.ask("fine", b"{}", Mcp_Session_Id=BODY)
    heard.ask("fine", b"", "PUT")
    heard.ask("closed", b"{}", Authorization=f"Bearer {token}")


def _texts_under(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.rglob("*"):
        # A file that is replaced, or that ends with a transaction, may be gone by the time it is read.
        with suppress(FileNotFoundError):
            if file.is_file():
                yield str(file), file.read_text("latin-1")


def test_no_canary_comes_out_of_answers_logs_metrics_or_files(tmp_path: Path, upstream: str) -> None:
    tokens = {server: new_token(GRANT) for server in SERVERS}
    plane = Plane(signed(_bundle(upstream, tokens), 1, not_before=int(time.time())))
    plane.server.RequestHandlerClass = type("Internal", (_ForgetfulInternal,), {"plane": plane})
    worker = Worker(
        tmp_path, plane, BUNDLE_KEYS=f"b:{KEY}", LOG_LEVEL="debug", EGRESS_ALLOW_PRIVATE="127.0.0.0/8"
    )
    worker.start(command=[sys.executable, "-c", FAULTY])
    try:
        worker.wait_until_ready()
        heard = Heard(worker, tokens)
        _everything_goes_wrong(heard)
        metrics = worker.get("/metrics", worker.metrics_port).text
        plane.go_away()  # records made from now on stay on disk
        heard.call("fine")
        on_disk = dict(_texts_under(tmp_path))
        status, out, err = worker.stop(signal.SIGTERM)
    finally:
        worker.process.kill()
    assert status == 0
    assert {
        "internal_error",
        "limit_exceeded",
        "approval_unavailable",
        "upstream_unreachable",
        "upstream_tls",
        "upstream_invalid",
        "upstream_refused_credentials",
        "upstream_too_large",
    } <= heard.codes
    assert all(json.loads(line)["message"] for line in out.splitlines())
    keys = {KEY, KEY[:43], base64.b64decode(KEY).decode()}
    secrets = {*tokens.values(), plane.token, CREDENTIAL, ARGUMENT, QUERY, PATH, BODY, *keys}
    outputs = {"stdout": out, "stderr": err, "metrics": metrics, **on_disk}
    outputs |= {f"answer {number}": answer for number, answer in enumerate(heard.answers)}
    leaked = [
        (where, text[max(text.find(secret) - 60, 0) : text.find(secret) + 20])
        for where, text in outputs.items()
        for secret in secrets
        if secret in text
    ]
    assert leaked == []
    assert {oct(folder.stat().st_mode & 0o777) for folder in tmp_path.glob("gw-1")} == {"0o700"}
    assert any(where.endswith(".bundle") for where in on_disk) and len(out.splitlines()) > 10
    assert any(ACME in text for where, text in on_disk.items() if "spool" in where)
