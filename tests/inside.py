"""Host names that resolve to inside addresses, and a listener there that counts connections.

A name server of our own answers over UDP: each query gets the next of the name's rounds, with a TTL of 0.
The process's look-ups go there; whatever the C library reads as an address, in any spelling, it still reads
itself. 127.0.0.9 plays the outside world: a policy that allows only that leaves everything else denied.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest

from common.egress import EgressPolicy, parse_listeners, parse_networks, why_denied
from tests.ports import free_port

CASES: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "cases" / "egress.json").read_text("utf-8")
)
OUTSIDE: Final = "127.0.0.9"
_A, _CNAME, _AAAA = 1, 5, 28
_NO_SUCH_NAME = 3

Zone = dict[str, list[list[str]]]


class NameServer:
    """Answers from a zone: name -> rounds of addresses, `=name` for an alias. The last round repeats."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._asked: Counter[tuple[str, int]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, whose = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), whose)
            except OSError:
                return

    def _answer(self, question: bytes) -> bytes:
        name, end = _name_at(question, 12)
        (kind,) = struct.unpack_from(">H", question, end)
        found = self._round(name.lower(), kind)
        records = b"" if found is None else b"".join(_record(one, kind) for one in found)
        count = 0 if found is None else sum(bool(_record(one, kind)) for one in found)
        status = _NO_SUCH_NAME if found is None else 0
        head = question[:2] + struct.pack(">HHHHH", 0x8180 | status, 1, count, 0, 0)
        return head + question[12 : end + 4] + records

    def _round(self, name: str, kind: int) -> list[str] | None:
        rounds = self._zone.get(name)
        if rounds is None:
            return None
        number = self._asked[name, kind]
        self._asked[name, kind] += 1
        return rounds[min(number, len(rounds) - 1)]


def _name_at(message: bytes, start: int) -> tuple[str, int]:
    labels = []
    while size := message[start]:
        labels.append(message[start + 1 : start + 1 + size].decode("latin-1"))
        start += size + 1
    return ".".join(labels), start + 1


def _name(text: str) -> bytes:
    labels = [label.encode("latin-1") for label in text.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(answer: str, kind: int) -> bytes:
    """One DNS record; empty if the answer is of another type than was asked for, unless it is an alias."""
    if answer.startswith("="):
        what, data = _CNAME, _name(answer[1:])
    else:
        address = ip_address(answer)
        what, data = (_A if address.version == 4 else _AAAA), address.packed
    if what not in (kind, _CNAME):
        return b""
    return b"\xc0\x0c" + struct.pack(">HHIH", what, 1, 0, len(data)) + data


def _ask(server: tuple[str, int], name: str, kind: int, depth: int = 0) -> list[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        head = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
        asking.sendto(head + _name(name) + struct.pack(">HH", kind, 1), server)
        answer = asking.recv(4_096)
    _, at = _name_at(answer, 12)
    at += 4
    found = []
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        what, _, life, size = struct.unpack_from(">HHIH", answer, at + 2)
        assert life == 0
        data = answer[at + 12 : at + 12 + size]
        at += 12 + size
        if what == _CNAME and depth < 5:
            found += _ask(server, _name_at(data, 0)[0], kind, depth + 1)
        elif what == kind:
            found.append(str(ip_address(data)))
    return found


_real_getaddrinfo = socket.getaddrinfo


def _look_up(server: tuple[str, int], host: Any, port: Any, *more: Any, **named: Any) -> list[Any]:
    """Look up as the system does: text that the C library reads as an address is one, the rest is queried."""
    text = host.decode("ascii") if isinstance(host, bytes) else host
    flags = named | {"flags": socket.AI_NUMERICHOST}
    try:
        return _real_getaddrinfo(host, port, *more[:3], **flags)
    except socket.gaierror:
        pass
    name = text.encode("idna").decode("ascii").removesuffix(".")
    found = _ask(server, name, _A) + _ask(server, name, _AAAA)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "nobody is called so")
    return [one for each in found for one in _real_getaddrinfo(each, port, *more[:3], **flags)]


@dataclass
class Door:
    """One port on every address of this machine. A connection to any but 127.0.0.9 has got inside.

    `says` is how the outside server answers a request: with a status, headers and a body.
    """

    port: int = 0
    inside: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    outside: int = 0
    says: Callable[[str, bytes], tuple[int, dict[str, str], bytes]] = lambda method, body: (200, {}, b"")
    known: set[int] = field(default_factory=set)
    """Ports that the test itself uses: connections to them are not noted."""

    @property
    def policy(self) -> EgressPolicy:
        """A policy that allows only the address that plays the outside world."""
        return EgressPolicy(allow=parse_networks(f"{OUTSIDE}/32"))

    @property
    def own(self) -> EgressPolicy:
        """A policy that allows everything on this machine, but knows this port as one of our listeners."""
        return EgressPolicy(parse_networks("127.0.0.0/8,::1/128"), parse_listeners(f"127.0.0.1:{self.port}"))

    def nobody_came(self) -> None:
        assert self.inside == []
        assert self.tried == []

    def _note(self, host: str, port: int) -> None:
        """Note every forbidden connection this process tries, even where nothing listens."""
        if port not in self.known and host.partition("%")[0] != OUTSIDE:
            try:
                denied = why_denied(ip_address(host.partition("%")[0]))
            except ValueError:
                denied = "it is a name"  # connecting would look it up again
            if denied is not None:
                self.tried.append(f"{host}:{port}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, family: int, host: str, port: int, handler: Any) -> None:
        self.address_family = family
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, whose = super().get_request()
        local = accepted.getsockname()[0]
        if local == OUTSIDE:
            self.door.outside += 1
        else:
            self.door.inside.append(local)
        return accepted, whose

    door: Door


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, door: Door, *given: Any) -> None:
        self._door = door
        super().__init__(*given)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, headers, answer = self._door.says(self.command, body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:
        pass


_watching: list[Door] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching and isinstance(arguments[1], tuple):
        for door in _watching:
            door._note(str(arguments[1][0]), int(arguments[1][1]))


_heard = False


@contextmanager
def watched_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    global _heard
    if not _heard:
        sys.addaudithook(_hear)
        _heard = True
    door = Door()
    handler = partial(_Handler, door)
    door.port = free_port()
    four = _Server(socket.AF_INET, "0.0.0.0", door.port, handler)
    six = _Server(socket.AF_INET6, "::", door.port, handler)
    names = NameServer(CASES["names"])
    monkeypatch.setattr(socket, "getaddrinfo", partial(_look_up, names.address))
    for server in (four, six):
        server.door = door
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    _watching.append(door)
    try:
        yield door
    finally:
        _watching.remove(door)
        names.close()
        for server in (four, six):
            server.shutdown()
            server.server_close()
