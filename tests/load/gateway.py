"""Measures what one tools/call costs: nginx answering itself, nginx as a plain proxy, the gateway, in turn.

    python -m tests.load.gateway [--seconds 5] [--rounds 3] [--connections 16 64]

The call has some 300 bytes, passes three conditions and one limit, is recorded and forwarded; the server is
nginx answering from memory, in JSON and as a stream of one event. CPU per call is what the kernel charged to
the process, threads included, so that other work on the machine matters little. Needs nginx and wrk. Added
latency is measured by `tests.load.added_latency`, a peer for comparison by `tests.load.beside_a_peer`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import msgspec

from common.tokens import GRANT, new_token, token_hash
from gateway_config.wire.bundle import Bundle, BundleGrant, BundlePolicy, BundleServer, BundleTool
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.messages import BatchAnswer, SignedBundle
from gateway_config.wire.signing import sign
from tests.gateway.limiters import trusted_file
from tests.gateway.test_main import Plane, Worker, _Internal, _Server
from tests.gateway_config.wire.bundles import KEY
from tests.load.promised import note
from tests.ports import free_port

STREAMING: Final = "00000000-0000-7000-8000-0000000005e2"
COUNTED: Final = "00000000-0000-7000-8000-0000000005e3"
TOOL: Final = "create_access_key"
ORGANIZATION: Final = "00000000-0000-7000-8000-00000000ac3e"
SERVER: Final = "00000000-0000-7000-8000-0000000005e1"
POLICY: Final = "00000000-0000-7000-8000-000000000901"
DOCUMENT: Final = json.dumps(
    {
        "version": "1",
        "default": "deny",
        "tools": {
            TOOL: {
                "require": [
                    {
                        "conditions": [
                            {"path": "args.user", "op": "regex", "value": "^[a-z.]+@acme\\.example$"},
                            {"path": "args.days", "op": "lte", "value": 90},
                            {"path": "args.scope", "op": "in", "value": ["read", "write"]},
                        ]
                    }
                ],
                "limits": [{"counter": "keys", "window": "minute", "max": 10_000_000, "scope": "grant"}],
            }
        },
    }
)
BODY: Final = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": TOOL,
            "arguments": {
                "user": "alice.adams@acme.example",
                "days": 30,
                "scope": "read",
                "comment": "for the nightly report of the finance department, as agreed with Carol in March",
            },
            "_meta": {"progressToken": 1},
        },
    }
)
ANSWER: Final = (
    '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"AKIAIOSFODNN7EXAMPLE"}]}}'
)
NGINX: Final = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/{name}.b;
  proxy_temp_path {folder}/{name}.p; fastcgi_temp_path {folder}/{name}.f; uwsgi_temp_path {folder}/{name}.u;
  scgi_temp_path {folder}/{name}.s;
  upstream server {{ server 127.0.0.1:{behind}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; {does} }}
}}
"""
ANSWERS: Final = (
    f"location / {{ default_type application/json; return 200 '{ANSWER}'; }}"
    f" location /sse {{ default_type text/event-stream; return 200 'event: message\ndata: {ANSWER}\n\n'; }}"
)
PROXIES: Final = (
    "location / { proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ''; }"
)
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Target:
    name: str
    port: int
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/mcp"
    calls_a_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def at(self, path: str, **headers: str) -> Target:
        return Target(self.name, self.port, self.pid, headers or self.headers, path)

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def request(self) -> bytes:
        lines = {"Host": f"127.0.0.1:{self.port}", **HEADERS, **self.headers, "Content-Length": len(BODY)}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n{BODY}".encode()


HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


# The three targets


@contextmanager
def nginx(folder: Path, name: str, port: int, does: str, behind: int) -> Iterator[Target]:
    settings = folder / f"{name}.conf"
    settings.write_text(NGINX.format(folder=folder, name=name, port=port, does=does, behind=behind))
    process = subprocess.Popen(["nginx", "-c", str(settings), "-e", str(folder / f"{name}.log")])
    try:
        _wait_for(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Target(f"nginx, {name}", port, int(children[0]))
    finally:
        process.terminate()
        process.wait()


class _Takes(_Internal):
    """Takes decision records as fast as possible: the cost of a control plane is measured elsewhere."""

    def do_GET(self) -> None:
        if "wait=25" in self.path:
            time.sleep(20)  # as a control plane without news does
        super().do_GET()

    def do_POST(self) -> None:
        if not self.path.endswith("/decisions/"):
            return super().do_POST()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        last = body.rfind(b'"sequence":')
        through = int(body[last + 11 : body.index(b",", last)])
        return self._answer(200, msgspec.json.encode(BatchAnswer(through)))


class _Plane(Plane):
    def __init__(self, bundle: SignedBundle) -> None:
        super().__init__(bundle)
        handler = type("Takes", (_Takes,), {"plane": self})
        self.server.RequestHandlerClass = handler
        assert isinstance(self.server, _Server)


@contextmanager
def gateway(folder: Path, behind: int, counted: int = 1) -> Iterator[tuple[Target, Target, Target]]:
    """One gateway as three targets: a server that answers in JSON, one with a stream, one that counts."""
    urls = {
        SERVER: f"http://127.0.0.1:{behind}/mcp",
        STREAMING: f"http://127.0.0.1:{behind}/sse",
        COUNTED: f"http://127.0.0.1:{counted}/mcp",
    }
    tokens = {server: new_token(GRANT) for server in urls}
    (folder / "data").mkdir()
    trusted_file(folder / "data" / "limiter.sqlite3")
    worker = Worker(folder / "data", _Plane(_bundle(urls, tokens)))
    worker.start(EGRESS_ALLOW_PRIVATE="127.0.0.0/8", LOG_LEVEL="warning")
    try:
        worker.wait_until_ready()
        bare = Target("gateway", worker.port, worker.process.pid)
        ways = [bare.at(f"/mcp/{server}/", Authorization=f"Bearer {tokens[server]}") for server in urls]
        yield ways[0], ways[1], ways[2]
        counted_calls = worker.get("/metrics", worker.metrics_port).text
        if re.search(r'policylayer_decisions_total\{outcome="(?!allow)[^}]*\} (?!0$)', counted_calls, re.M):
            raise RuntimeError(f"not every call was let through:\n{counted_calls}")
    finally:
        _, _, told = worker.stop()
        print(told, end="")


def _bundle(urls: dict[str, str], tokens: dict[str, str]) -> SignedBundle:
    tools = (BundleTool(name=TOOL),)
    body = encode_bundle(
        Bundle(
            organization=ORGANIZATION,
            servers=tuple(BundleServer(id=id, name="IAM", upstream_url=urls[id], tools=tools) for id in urls),
            policies=(BundlePolicy(POLICY, POLICY, 1, DOCUMENT),),
            grants=tuple(
                BundleGrant(str(UUID(int=number)), token_hash(tokens[server]), server, POLICY)
                for number, server in enumerate(urls, 1)
            ),
        )
    )
    begins = int(time.time()) - 1
    envelope = sign(
        body, organization=ORGANIZATION, revision=1, not_before=begins, lease_seconds=3600, key=KEY
    )
    return SignedBundle(envelope, body.decode())


def _wait_for(port: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("nginx did not start")


# As many calls as possible


def load(target: Target, folder: Path, seconds: int, connections: int) -> int:
    """Load the target for some seconds; return how many calls were answered."""
    script = folder / "call.lua"
    headers = "".join(f'wrk.headers["{k}"]={json.dumps(v)}\n' for k, v in (HEADERS | target.headers).items())
    script.write_text(f'wrk.method="POST"\nwrk.path="{target.path}"\nwrk.body=[==[{BODY}]==]\n{headers}')
    before = target.cpu_seconds()
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "-s",
            str(script),
            f"http://127.0.0.1:{target.port}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    used = target.cpu_seconds() - before
    calls = int(re.findall(r"(\d+) requests in", done.stdout)[0])
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    target.calls_a_second.append(calls / seconds)
    target.cpu_us.append(1e6 * used / calls)
    return calls


# Results


def _in_turn(folder: Path, kind: str, targets: list[Target], given: argparse.Namespace) -> None:
    for connections in given.connections:
        for target in targets:
            target.calls_a_second.clear()
            target.cpu_us.clear()
        for _ in range(given.rounds):
            for target in targets:
                load(target, folder, given.seconds, connections)
        for target in targets:
            print(f"| {kind}, {connections} connections | {target.name} | {_figures(target)} |", flush=True)
        _, proxy, ours = targets
        shares = [theirs / mine for theirs, mine in zip(proxy.cpu_us, ours.cpu_us, strict=True)]
        told = f"{statistics.median(shares):.2f} (rounds {min(shares):.2f} to {max(shares):.2f})"
        print(f"| | share of nginx | | {told} |", flush=True)
        if (kind, connections) == ("JSON", 16):
            note("share", statistics.median(shares))


def _figures(target: Target) -> str:
    return f"{statistics.median(target.calls_a_second):,.0f} | {statistics.median(target.cpu_us):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        port, proxy_port = free_port(), free_port()
        direct = stack.enter_context(nginx(folder, "direct", port, ANSWERS, port))
        proxy = stack.enter_context(nginx(folder, "proxy", proxy_port, PROXIES, port))
        plain, streaming, _ = stack.enter_context(gateway(folder, port))
        note("memory", plain.memory_mb())
        print(f"memory at rest: {plain.memory_mb():.0f} MB")
        print("| | | calls a second | CPU a call, us |\n|---|---|---|---|")
        _in_turn(folder, "JSON", [direct, proxy, plain], given)
        _in_turn(folder, "SSE", [direct.at("/sse"), proxy.at("/sse"), streaming], given)


if __name__ == "__main__":
    main()
