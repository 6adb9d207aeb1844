"""Every spelling that a server might read as the URI of a denied resource is denied."""

from __future__ import annotations

import json
from random import Random

from pydantic import AnyUrl, TypeAdapter, ValidationError

from gateway.admitted import Asker
from gateway.effects import Record
from gateway.pipeline import access
from policies.language.compile import compile_policy
from policies.language.decision import ResourceRead
from policies.language.parse import parse_policy

# Parses and rebuilds a URI as the SDKs of servers do.
READER = TypeAdapter(AnyUrl)
DENIED = [
    "file:///keys/a", "https://keys.example/a", "http://127.0.0.1/a", "http://[::1]/a", "wss://keys.example/",
    "ftp://keys.example/a?b=c", "notes://h/my%20notes", "notes://h/caf%C3%A9", "notes://h:81/x",
]  # fmt: skip
PIECES = [
    *"/\\:?#@ []|^'\"<{*;&~+A", "..", ".", "//", "%2e", "%2F", "%5c", "%20", "%00", "%61", "%41", "%e9",
    "u@", "localhost", ":80", ":443", ":0443", "\t", "\n", "\x7f", "\u00ad", "\uff0e", "\u3002", "\u200b",
    "\ufeff", "\u00e9", "e\u0301", "\u0130", "\u00df", "\u017f", "\u212a", "0x7f", "1", "0", "C|", "file:",
    "http:", "%7e",
]  # fmt: skip


def respelt(chance: Random, uri: str) -> str:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at, piece = chance.randrange(len(uri) + 1), chance.choice(PIECES)
        before, here, after = uri[:at], uri[at : at + 1], uri[at + 1 :]
        uri = chance.choice(
            (
                before + piece + here + after,
                before + piece + after,
                before + after,
                before + here.swapcase() + after,
                before + "".join(f"%{byte:02x}" for byte in here.encode()) + after,
            )
        )
    return uri


def read(uri: str) -> str | None:
    try:
        return str(READER.validate_python(uri))
    except ValidationError:
        return None


def ruled(uri: str, **resources: object) -> bool:
    document = {"version": "1", "default": "deny", "resources": resources}
    asker = Asker("acme", "files", "grant-1", compile_policy(parse_policy(json.dumps(document)), ()))
    asked = next(access(asker, [ResourceRead(uri)]))
    assert isinstance(asked, Record)
    return asked.ruling.allowed


def test_what_a_server_reads_as_a_resource_that_is_denied_is_denied() -> None:
    chance, met = Random(20261123), 0
    for _ in range(20_000):
        uri = respelt(chance, chance.choice(DENIED))
        if read(uri) in DENIED:
            met += 1
            assert not ruled(uri, default="allow", deny=DENIED), uri
    assert met > 1_000


def test_what_is_allowed_is_read_where_it_is_allowed() -> None:
    allowed = ["file:///public/", "https://good.example/", "notes://h/public/"]
    chance, met = Random(20261123), 0
    for _ in range(6_000):
        uri = respelt(
            chance, chance.choice(allowed) + chance.choice(("../a", "x/../../a", "%2e./a", "..", "a"))
        )
        if ruled(uri, default="deny", allow=[f"{one}*" for one in allowed]):
            met += 1
            there = read(uri)
            assert there is None or there.startswith(tuple(allowed)), uri
    assert met > 300
