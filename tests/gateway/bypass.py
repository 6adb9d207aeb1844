"""Which calls may reach a server behind a policy, by the naive evaluator, and a recorder of those that do.

Nothing here shares a line with the gateway's own reading, deciding or writing.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

from tests.gateway.raw_http import read_head
from tests.policies.naive import rules, values

ENVELOPE: Final = ("jsonrpc", "id", "method", "params", "result", "error")
TOOLS: Final = ("read_file", "write_file", "search", "pay", "delete_file", "hidden_tool", "Read_File")
POLICY: Final = r"""{
  "version": "1", "default": "deny", "hide": ["hidden_*"],
  "tools": {
    "read_file": { "deny_if": [ { "conditions": [
        { "path": "args.path", "op": "starts_with", "value": "/etc" } ] } ] },
    "write_file": {
      "require": [ { "conditions": [
        { "path": "args.path", "op": "regex", "value": "^/home/[a-z.]+$" },
        { "path": "args.amount", "op": "exists", "value": false } ] } ],
      "deny_if": [ { "conditions": [ { "path": "args.path", "op": "contains", "value": ".." } ] } ] },
    "sear*": {},
    "pay": { "require": [ { "conditions": [ { "path": "args.amount", "op": "lte", "value": 100 } ] } ] },
    "delete_file": { "action": "deny" }
  }
}"""
_POLICY: Final = values.read(POLICY)
_RULES_READ: Final = {"read_file": ("path",), "write_file": ("path", "amount"), "pay": ("amount",)}


def permitted(name: object, arguments: object) -> bool:
    """True if the policy allows the call. `arguments` are as the naive evaluator reads them: numbers keep
    their spelling."""
    if not isinstance(name, str) or name not in TOOLS:
        return False
    if isinstance(arguments, dict):
        for read in _RULES_READ.get(name, ()):
            if any(given != read and given.casefold() == read for given in arguments):
                return False  # a server that ignores case in names would take it for the checked argument
    return rules.ruling(_POLICY, name, None, arguments).outcome == "allow"


def permitted_values(name: str, arguments: Any) -> bool:
    """The same for a call that a server says it executed."""
    return permitted(name, values.read(json.dumps(arguments)))


@dataclass
class Recorder:
    """A proxy before the server that parses requests by the plainest framing, checks and forwards them."""

    port: int
    bodies: list[bytes] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(_copy(there, writer))
        try:
            while True:
                line, headers = await read_head(reader)
                body = await reader.readexactly(int(headers["content-length"]))
                self._look_at(line, headers, body)
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                here.write(f"{line}\r\n{lines}\r\n".encode("latin-1") + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            here.close()
            writer.close()

    def _look_at(self, line: str, headers: dict[str, str], body: bytes) -> None:
        self.bodies.append(body)
        wrong = what_is_wrong(line, headers, body)
        if wrong is not None:
            self.violations.append(f"{wrong}: {body!r}")


def what_is_wrong(line: str, headers: dict[str, str], body: bytes) -> str | None:
    if line != "POST /mcp HTTP/1.1" or "transfer-encoding" in headers or "authorization" in headers:
        return f"the head is not ours, {line}, {headers}"
    try:
        text = body.decode("utf-8")
        last = values.read(text)
        first = json.loads(
            text,
            parse_int=values.Num,
            parse_float=values.Num,
            object_pairs_hook=lambda pairs: dict(reversed(pairs)),
        )
    except ValueError:
        return "it is not JSON"
    if first != last or not isinstance(last, dict):
        return "it has two meanings"
    known = [key.casefold() for key in last if key.casefold() in ENVELOPE]
    if len(set(known)) != len(known):
        return "two of its keys are alike"
    if str(last.get("method", "")).strip("\0 ").casefold() != "tools/call":
        return None
    return _what_is_wrong_with_the_call(headers, last)


def _what_is_wrong_with_the_call(headers: dict[str, str], message: dict[str, Any]) -> str | None:
    params = message.get("params", {})
    if "id" not in message or not permitted(params.get("name"), params.get("arguments", {})):
        return "it is not permitted"
    if "mcp-name" in headers and _read(headers["mcp-name"]) != params["name"]:
        return "its header names another tool"
    if "mcp-method" in headers and headers["mcp-method"] != message["method"]:
        return "its header names another method"
    return None


def _read(value: str) -> str:
    if value.startswith("=?base64?"):
        return base64.b64decode(value[9:-2]).decode()
    return value


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()
