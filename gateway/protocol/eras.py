"""The era of the protocol that a message belongs to, and the check that its headers match its body.

Up to 2025-11-25 there are sessions, and only the body counts. From 2026-07-28 every request is independent
and its headers repeat parts of the body for anything that routes by them: whoever trusts a header must see
the same tool that was judged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.protocol.header_values import read_value, written
from gateway.protocol.jsonrpc import (
    HEADER_MISMATCH,
    INVALID_REQUEST,
    UNSUPPORTED_REVISION,
    Message,
    Notification,
    Refused,
    Request,
)
from gateway.protocol.methods import MODERN, MODERN_TASK_METHODS
from gateway.protocol.strict_json import Json

VERSION_HEADER: Final = b"mcp-protocol-version"
METHOD_HEADER: Final = b"mcp-method"
NAME_HEADER: Final = b"mcp-name"
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(MODERN_TASK_METHODS, "taskId"),
}
_VERSION: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MODERN: Final = frozenset(revision.encode() for revision in MODERN)
_FIRST_MODERN: Final = min(_MODERN)
_LONGEST_SHOWN: Final = 32


@dataclass(frozen=True, slots=True)
class Era:
    version: bytes | None
    modern: bool


NO_ERA: Final = Era(None, modern=False)


def era_of(headers: Mapping[bytes, bytes], message: Message, spoken: Sequence[str] = ()) -> Era:
    """Raises Refused if headers and body differ, or if we or the server do not know the revision.

    `spoken` are the revisions that the server is known to speak; empty if that is not known.
    """
    version = headers.get(VERSION_HEADER)
    claimed = message.meta.get(_VERSION_KEY) if type(message) is Request else None
    if version is None and claimed is None:
        era = NO_ERA
    elif claimed is None and version is not None and is_of_sessions(version):
        era = Era(version, modern=False)
    else:
        _check(headers, version, claimed, message)
        era = Era(version, modern=True)
    if spoken or (era.modern and version not in _MODERN):
        _check_shared(era, message, spoken)
    return era


def is_of_sessions(version: bytes) -> bool:
    """True for any date before the era without sessions: the server itself negotiates which one it takes."""
    return _VERSION.fullmatch(version) is not None and version < _FIRST_MODERN


def check_version(version: bytes) -> None:
    if version not in _MODERN and not is_of_sessions(version):
        raise Refused(INVALID_REQUEST, "MCP-Protocol-Version is not a revision known here.")


def headers_for(era: Era, message: Message) -> list[tuple[bytes, bytes]]:
    """The protocol headers to forward, made from the message that was judged, not from those received."""
    headers = [] if era.version is None else [(b"MCP-Protocol-Version", era.version)]
    if not era.modern or not isinstance(message, Request | Notification):
        return headers
    headers.append((b"Mcp-Method", written(message.method)))
    name = _name_of(message)
    if isinstance(name, str):
        headers.append((b"Mcp-Name", written(name)))
    return headers


def _check_shared(era: Era, message: Message, spoken: Sequence[str]) -> None:
    """Refuses a revision the server does not speak, and any we do not know: we could not judge its calls."""
    if era.modern and era.version in _MODERN and any(revision in MODERN for revision in spoken or MODERN):
        return
    if not era.modern and any(revision not in MODERN for revision in spoken):
        return
    identifier = message.id if isinstance(message, Request) else None
    would_do = [one for one in spoken if era.modern and one in MODERN] or list(spoken or MODERN)
    asked = era.version.decode("latin-1") if era.version is not None else _offered(message)
    who = "The server behind this address" if spoken else "This gateway"
    reason = f"{who} speaks {' and '.join(would_do)} of the protocol, not this revision."
    # Older clients take an error status as a sign to try an older transport.
    raise Refused(
        UNSUPPORTED_REVISION,
        reason,
        id=identifier,
        status=400 if era.modern else 200,
        data={"supported": would_do, "requested": asked[:_LONGEST_SHOWN]},
    )


def _offered(message: Message) -> str:
    offered = None if not isinstance(message, Request) else message.params.get("protocolVersion")
    return offered if isinstance(offered, str) else ""


def _check(headers: Mapping[bytes, bytes], version: bytes | None, claimed: Json, message: Message) -> None:
    if not isinstance(message, Request):
        return
    # A body without a version is left for the server to refuse: its error names the missing keys.
    if claimed is not None and (version or b"").decode("latin-1") != claimed:
        raise _mismatch(message, "MCP-Protocol-Version")
    if read_value(headers.get(METHOD_HEADER)) != message.method:
        raise _mismatch(message, "Mcp-Method")
    name = _name_of(message)
    if name is not None and read_value(headers.get(NAME_HEADER)) != name:
        raise _mismatch(message, "Mcp-Name")


def _name_of(message: Request | Notification) -> Json:
    key = _NAMED_BY.get(message.method)
    return message.params.get(key) if key else None


def _mismatch(message: Request, header: str) -> Refused:
    return Refused(HEADER_MISMATCH, f"The header {header} does not say what the body says.", id=message.id)
