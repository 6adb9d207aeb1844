"""A registry is asked over HTTPS and nothing else happens, whatever answers."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from catalog import fetching
from catalog.fetching import Manners, registry_at
from catalog.registry import CursorRefused, PageInvalid
from tests.certificates import Authority, self_signed

HOST = "registry.example"
PAGE: dict[str, Any] = {"servers": [], "metadata": {}}


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    said = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (said | headers).items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


class Registry:
    """Answers each request with the next of its scripts, and the last for ever."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls
        self.scripts: list[Callable[[ssl.SSLSocket], None]] = []
        self.asked: list[str] = []
        self.over = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def says(self, *answers: bytes) -> None:
        self.scripts = [lambda connection, said=said: connection.sendall(said) for said in answers]  # type: ignore[misc]

    def _serve(self) -> None:
        while not self.over.is_set():
            with suppress(OSError):
                plain, _ = self.socket.accept()
                with plain, self.tls.wrap_socket(plain, server_side=True) as connection:
                    self.asked.append(connection.recv(65536).decode())
                    self.scripts[min(len(self.asked), len(self.scripts)) - 1](connection)

    def stop(self) -> None:
        self.over.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.in_folder(tmp_path_factory.mktemp("authority"), "registry-authority")


@pytest.fixture
def registry(authority: Authority, settings: Any) -> Iterator[Registry]:
    settings.UPSTREAM_CA_FILE = str(authority.file)
    found = Registry(authority.vouches_for(HOST))
    found.says(answer(json.dumps(PAGE).encode()))
    yield found
    found.stop()


def fetched(
    registry: Registry, *, seconds: float = 20.0, cursor: str = "", address: str = "127.0.0.1"
) -> object:
    paused: list[float] = []
    manners = Manners(seconds, resolve=lambda host, port: address.split(), pause=paused.append)
    return registry_at(f"https://{HOST}:{registry.port}/", manners)(cursor, "")


def refusal(registry: Registry, **how: object) -> str:
    with pytest.raises(PageInvalid) as why:
        fetched(registry, **how)  # type: ignore[arg-type]
    return str(why.value)


def test_a_page_is_asked_for_by_its_name_at_the_address_that_was_checked(registry: Registry) -> None:
    assert fetched(registry, cursor="io.x/a:1.0&limit=9") == PAGE
    head = registry.asked[0].split("\r\n")
    assert head[0] == "GET /v0.1/servers?limit=100&cursor=io.x%2Fa%3A1.0%26limit%3D9 HTTP/1.1"
    assert f"Host: {HOST}:{registry.port}" in head
    assert not any(line.lower().startswith(("cookie", "authorization")) for line in head)


def test_where_one_address_does_not_answer_the_next_is_tried(registry: Registry) -> None:
    assert fetched(registry, address="127.255.255.254 127.0.0.1") == PAGE


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "1.1.1.1 192.168.0.1"]
)
def test_a_name_that_leads_inside_is_not_connected_to(
    registry: Registry, settings: Any, address: str
) -> None:
    settings.EGRESS_ALLOW_PRIVATE = ()
    assert "is not connected to" in refusal(registry, address=address)
    assert not registry.asked


def test_our_own_listeners_are_not_connected_to(registry: Registry, settings: Any) -> None:
    from ipaddress import ip_address

    settings.OWN_LISTENERS = ((ip_address("127.0.0.1"), registry.port),)
    assert "is not connected to" in refusal(registry)
    assert not registry.asked


def test_a_redirect_is_an_answer_like_any_other_and_followed_nowhere(registry: Registry) -> None:
    for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
        registry.asked.clear()
        registry.says(answer(b"", status, Location=f"https://{HOST}:{registry.port}/elsewhere"))
        assert f"answered {status[:3]}" in refusal(registry)
        assert all("/elsewhere" not in head.split("\r\n")[0] for head in registry.asked)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"<html>"), "not well-formed JSON"),
        (answer(b"[" * 200_000), "not well-formed JSON"),
        (answer(b"\xff\xfe"), "not well-formed JSON"),
        (answer(b""), "not well-formed JSON"),
        (answer(gzip.compress(b"{}"), Content_Encoding="gzip"), "not well-formed JSON"),
        (answer(b"{}", "500 Internal Server Error"), "answered 500"),
        (answer(b"{}", "204 No Content"), "answered 204"),
        (answer(b"{}", Content_Length="9")[:-1], "could not be fetched"),
        (b"\x00" * 100, "could not be fetched"),
        (b"", "could not be fetched"),
    ],
)
def test_what_is_no_page_is_refused_after_three_tries_with_fewer_entries_each(
    registry: Registry, said: bytes, why: str
) -> None:
    registry.says(said)
    assert why in refusal(registry)
    assert [head.split("limit=")[1].split(" ")[0] for head in registry.asked] == ["100", "20", "4"]


def test_an_answer_about_what_was_asked_is_told_apart_from_a_registry_in_trouble(registry: Registry) -> None:
    for status, about_the_cursor in (
        ("400 Bad Request", True),
        ("422 Unprocessable", True),
        ("503 Busy", False),
    ):
        registry.says(answer(b"", status))
        with pytest.raises(PageInvalid) as why:
            fetched(registry)
        assert isinstance(why.value, CursorRefused) is about_the_cursor


def test_a_registry_that_stumbles_once_is_asked_again(registry: Registry) -> None:
    registry.says(answer(b"", "503 Service Unavailable"), answer(json.dumps(PAGE).encode()))
    assert fetched(registry) == PAGE


def test_a_page_without_an_end_is_left_when_it_is_larger_than_anybody_reads(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1 << 20)

    def pour(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        with suppress(OSError):
            while not registry.over.is_set():
                connection.sendall(b" " * 65536)

    registry.scripts = [pour]
    assert "larger than anybody reads" in refusal(registry)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_dribbles_is_left_whether_it_is_the_head_or_the_body(registry: Registry, head: bytes) -> None:
    def dribble(connection: ssl.SSLSocket) -> None:
        connection.sendall(head)
        with suppress(OSError):
            while not registry.over.wait(0.05):
                connection.sendall(b" ")

    registry.scripts = [dribble]
    assert "too slowly" in refusal(registry, seconds=0.5)


def test_a_registry_nobody_vouches_for_is_not_asked(
    registry: Registry, tmp_path: Path, authority: Authority
) -> None:
    for tls in (self_signed(tmp_path, HOST), authority.vouches_for("other.example")):
        registry.tls = tls
        assert "could not be fetched" in refusal(registry)
    assert not registry.asked


@pytest.mark.parametrize(
    "url", ["http://registry.example", "ftp://x", "https://", "https://u:p@registry.example", ""]
)
def test_only_https_is_asked_and_no_password_stands_in_the_address(url: str) -> None:
    with pytest.raises(PageInvalid, match="over https"):
        registry_at(url, Manners(pause=lambda seconds: None, resolve=lambda host, port: ["1.1.1.1"]))("", "")


def test_a_name_without_an_address_is_refused() -> None:
    manners = Manners(pause=lambda seconds: None, resolve=lambda host, port: [])
    with pytest.raises(PageInvalid, match="no address"):
        registry_at("https://nowhere.example", manners)("", "")
