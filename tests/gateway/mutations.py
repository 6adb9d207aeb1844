"""Requests as an attacker would spell them: with changes to a message's text, or to any of its bytes."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

NAMES: Final = (
    "read_file", "search", "pay", "delete_file", "hidden_tool", "Read_File", "READ_FILE", "read_file ",
    " read_file", "read_file\u0000", "read_file\n", "read_file/../delete_file", "delete_file?x=read_file",
    "read\u2011file", "ｒead_file", "reaď_file", "read_ﬁle", "delete_fıle", "delete_file\u200b",
    "write_file", "ſearch", "SEARCH", "search\ud7ff", "sea", "searcher", "", "*", "read_file,delete_file",
    "unknown",
)  # fmt: skip
PATHS: Final = (
    "/home/a", "/etc/passwd", "/etc", "/ETC/passwd", "\u002fetc/x", "//etc", "", None, 1, ["/etc"],
    {"path": "/etc"}, True, "/etc\u0000", "etc/passwd", "/home/../etc", "/home/a\n", "/home/\u0430",
)  # fmt: skip
AMOUNTS: Final = (
    "1", "100", "100.0", "1e2", "100.00000000000001", "101", "-1", "1e400", "1E2", "-0", "0.1e4",
    "99999999999999999999", '"1"', "true", "null", "[1]", "1e-999", "9007199254740993", "NaN", "Infinity",
    "0x10", "01", "1.", ".5", "+1", "1_0",
)  # fmt: skip
METHODS: Final = (
    "tools/call", "tools/call", "tools/call", "Tools/Call", "tools/Call ", "tools/call\u0000", "tools//call",
    "tools/list", "ping", "notifications/cancelled", "tasks/get", "prompts/get", "rpc.discover", "tools.call",
)  # fmt: skip

Random: TypeAlias = random.Random
Mutation: TypeAlias = Callable[[Random, str], str | bytes]


def message(pick: Random) -> str:
    """A message in JSON, parts of which are already odd."""
    name = pick.choice(NAMES if pick.random() < 0.6 else NAMES[:5])
    arguments: dict[str, Any] = {}
    if pick.random() < 0.7:
        arguments["path"] = pick.choice(PATHS)
    if pick.random() < 0.3:
        arguments["name"] = "delete_file"
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if pick.random() < 0.2:
        params["_meta"] = {"progressToken": 1}
    if pick.random() < 0.05:
        params["task"] = {"ttl": 1}
    told: dict[str, Any] = {
        "jsonrpc": "2.0", "id": pick.choice((1, "a", -1, 2**70)), "method": pick.choice(METHODS),
        "params": params,
    }  # fmt: skip
    text = json.dumps(told, ensure_ascii=pick.random() < 0.5)
    if name == "pay":
        text = text.replace('"arguments": {', f'"arguments": {{"amount": {pick.choice(AMOUNTS)}, ', 1)
        text = text.replace(", }", "}")
    return text


def _key(pick: Random) -> str:
    return pick.choice(("jsonrpc", "id", "method", "params", "name", "arguments", "path", "amount"))


def _odd(pick: Random, key: str) -> str:
    """The key as it is, or a spelling that some reader might take for it."""
    spellings = (
        key, key, key.upper(), key.title(), key.replace("s", "ſ"), key.replace("k", "\u212a"), key + " ",
        "".join(f"\\u{ord(letter):04x}" for letter in key), key + "\\u0000", key[::-1],
        key.replace("e", "\\u0065", 1), key.swapcase(),
    )  # fmt: skip
    return pick.choice(spellings)


def second_key(pick: Random, text: str) -> str:
    key = _key(pick)
    value = pick.choice(
        ('"delete_file"', '"tools/call"', '"read_file"', "{}", "null", '{"name":"delete_file"}', '"/etc/x"')
    )
    twin = f'"{_odd(pick, key)}": {value}'
    place = text.find(f'"{key}"')
    if place < 0:
        return text[:-1] + f", {twin}}}"
    if pick.random() < 0.5:
        return text[:place] + twin + ", " + text[place:]
    end = text.rfind("}", place)
    depth = pick.choice((end, text.rfind("}", place, end)))
    return text[:depth] + ", " + twin + text[depth:]


def other_spelling(pick: Random, text: str) -> str:
    key = _key(pick)
    return text.replace(f'"{key}"', f'"{_odd(pick, key)}"', 1)


def escaped(pick: Random, text: str) -> str:
    letters = [f"\\u{ord(one):04X}" if one.isalpha() and pick.random() < 0.2 else one for one in text]
    return "".join(letters)


def spaced(pick: Random, text: str) -> str:
    space = pick.choice((" ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "\f", "/**/", "//\n", "\u0000"))
    place = pick.randrange(len(text))
    return text[:place] + space + text[place:]


def wrapped(pick: Random, text: str) -> str:
    forms = (
        "[{}]", "[{0},{0}]", "{0}{0}", "{0}\n{0}", "{0},", " {0} ", '{{"a":{0}}}', "({0})", "\ufeff{0}",
        ")]}}'\n{0}", '"{0}"', "{0}\u0000", "{0}#", "[[{0}]]",
    )  # fmt: skip
    return pick.choice(forms).format(text)


def encoded(pick: Random, text: str) -> bytes:
    coding = pick.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "latin-1", "cp1252"))
    return text.encode(coding, "replace")


def nested(pick: Random, text: str) -> str:
    """Add a very deep value, or a call within a call."""
    depth = pick.choice((3, 60, 63, 64, 65, 199, 201, 3_000))
    opening, closing = pick.choice((("[", "]"), ('{"a":', "}"), ('{"params":', "}"), ('{"arguments":', "}")))
    value = opening * depth + pick.choice(("1", "{}", '"delete_file"')) + closing * depth
    return text.replace('"arguments": {', f'"arguments": {{"deep": {value}, ', 1).replace(", }", "}")


def huge(pick: Random, text: str) -> str:
    """Put in a number that no reader can hold, or that each holds in its own way."""
    number = pick.choice(
        ("9" * 30, "9" * 4_301, "-" + "9" * 400, "1e400", "-1e400", "1e-400", "0." + "1" * 500, "-0.0", "-0",
         "18446744073709551616", "9223372036854775808", "1E+0000002", "0e99999", "1e99999999999999999999")
    )  # fmt: skip
    place = pick.choice(('"id": 1', '"amount": 1', '"arguments": {'))
    return text.replace(place, place[:-1] + number if place[-1] == "1" else f'{place}"n": {number}, ', 1)


def without_id(pick: Random, text: str) -> str:
    other = pick.choice(("", "null", "true", "{}", "[]", "1.5", "1e0", '""', "-0", '"\\u0000"', "[1]"))
    return re.sub(r'"id": [^,]+, ', lambda _: f'"id": {other}, ' if other else "", text, count=1)


def confused(pick: Random, text: str) -> str:
    """Put in a value of another type than a reader expects."""
    key = _key(pick)
    other = pick.choice(
        ('["read_file"]', '{"0": "read_file"}', "0", "true", "null", '"{}"', "[]", '[["path", "/"]]')
    )
    return re.sub(rf'"{key}": ("[^"]*"|\d+)', lambda _: f'"{key}": {other}', text, count=1)


def reordered(pick: Random, text: str) -> str:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(tree, dict):
        return text
    keys = list(tree)
    pick.shuffle(keys)
    return json.dumps({key: tree[key] for key in keys})


def other_bytes(pick: Random, text: str) -> bytes:
    return scrambled(pick, text.encode("utf-8", "surrogatepass"))


def scrambled(pick: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(pick.randint(1, 3)):
        place = pick.randrange(len(changed))
        match pick.randrange(5):
            case 0:
                changed[place] = pick.randrange(256)
            case 1:
                changed.insert(place, pick.choice(b'\x00\x09\x0a\x0d\x20"\\{}[]:,\xff\xc0\xed\xef\xbb\xbf'))
            case 2:
                del changed[place]
            case 3:
                end = place + pick.randrange(40)
                changed[place:place] = changed[place:end]
            case _:
                other = pick.randrange(len(changed))
                changed[place], changed[other] = changed[other], changed[place]
    return bytes(changed)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    second_key, second_key, second_key, other_spelling, other_spelling, escaped, spaced, wrapped, encoded,
    reordered, other_bytes, nested, huge, without_id, confused,
)  # fmt: skip


def body(pick: Random) -> bytes:
    """One mutated body, or now and then an untouched one."""
    text: str | bytes = message(pick)
    for _ in range(pick.choice((0, 1, 1, 1, 2, 3))):
        if isinstance(text, str):
            text = pick.choice(MUTATIONS)(pick, text)
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


TYPES: Final = (
    "application/json; charset=utf-16", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain",
    "application/json, text/plain", "application/x-www-form-urlencoded", "application/json;x=1", "text/json",
    "application/jsonx", "", "multipart/form-data; boundary=a",
)  # fmt: skip
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
MODERN: Final = "2026-07-28"
_MARKED: Final = b'"params": {"_meta": {"%b": "2026-07-28", "%b": {}}, ' % (
    VERSION_KEY.encode(),
    b"io.modelcontextprotocol/clientCapabilities",
)


def headed(pick: Random, body: bytes) -> tuple[dict[str, str | None], bytes]:
    """Headers of either era for a body, true or false, and the body changed to fit some of them."""
    headers: dict[str, str | None] = {}
    chance = pick.random()
    if chance < 0.3:
        headers, body = _modern(pick), body.replace(b'"params": {', _MARKED, 1)
    elif chance < 0.35:
        headers = {
            "MCP-Protocol-Version": pick.choice(("2025-11-25", "2025-06-18", "2024-11-05", "2026-07-28"))
        }
    if pick.random() < 0.05:
        headers["Content-Type"] = pick.choice(TYPES)
    if pick.random() < 0.03:
        headers["Content-Encoding"] = pick.choice(("gzip", "identity", "GZIP", "br", ""))
        body = pick.choice((body, gzip.compress(body)))
    if pick.random() < 0.03:
        headers[
            pick.choice(("Mcp-Session-Id", "Last-Event-ID", "Mcp-Param-Path", "X-HTTP-Method-Override"))
        ] = "x"
    return headers, body


def _modern(pick: Random) -> dict[str, str | None]:
    name: str = pick.choice(("search", "read_file", "pay", "write_file", "delete_file"))
    if pick.random() < 0.2:
        name = f"=?base64?{base64.b64encode(name.encode()).decode()}?="
    method = "tools/call" if pick.random() < 0.9 else pick.choice(("tools/list", "ping", "Tools/Call"))
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, "Mcp-Name": name}


def raw(pick: Random, request: bytes) -> bytes:
    """A whole request with something wrong in its bytes or its framing."""
    head, _, content = request.partition(b"\r\n\r\n")
    hidden = request.replace(b"read_file", b"delete_file").replace(b"search", b"delete_file")
    length = b"Content-Length: %d" % len(content)
    match pick.randrange(10):
        case 0:
            other = b"Content-Length: %d" % max(0, len(content) + pick.choice((-3, 5, 200)))
            return request.replace(length, other, 1) + hidden
        case 1:
            return (
                head.replace(length, length + b"\r\nTransfer-Encoding: chunked")
                + b"\r\n\r\n0\r\n\r\n"
                + hidden
            )
        case 2:
            coding = pick.choice(
                (b"chunked", b"Chunked", b"identity, chunked", b"chunked, identity", b"xchunked")
            )
            framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
            return head.replace(length, b"Transfer-Encoding: " + coding) + b"\r\n\r\n" + framed
        case 3:
            size = pick.choice((b"0x%x", b"%x;a=b", b" %x", b"0%x", b"%x\n", b"-%x")) % len(content)
            framed = size + b"\r\n" + content + b"\r\n0\r\n" + pick.choice((b"\r\n", b"X: y\r\n\r\n", b"\n"))
            return head.replace(length, b"Transfer-Encoding: chunked") + b"\r\n\r\n" + framed + hidden
        case 4:
            return request.replace(
                b"\r\n", pick.choice((b"\n", b"\r", b"\r\r\n", b"\n\r")), pick.randint(1, 9)
            )
        case 5:
            line = pick.choice((
                b"Content-Length: 0", b"Content-Encoding: gzip", b"Content-Type: text/plain", b"Host: evil",
                b"Authorization: Bearer x", b"Mcp-Name: delete_file", b"Mcp-Method: tools/call", b" folded",
                b"Mcp-Param-X: a\x00b", b"Connection: upgrade\r\nUpgrade: h2c", b"X\x00: y",
            ))  # fmt: skip
            return head + b"\r\n" + line + b"\r\n\r\n" + content
        case 6:
            return request + hidden
        case 7:
            return request[: pick.randrange(1, len(request))]
        case _:
            return scrambled(pick, request)
