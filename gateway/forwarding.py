"""Headers of forwarded requests: made here, or copied from a short list; never a client's own credentials."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.drift import DriftWatch
from gateway.handles import Handles, Kind
from gateway.hops import HEADER as HOP
from gateway.protocol.eras import VERSION_HEADER, check_version, headers_for
from gateway.protocol.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Refused, Request
from gateway.protocol.mirrored import parameter_headers
from gateway.visits import Visit
from gateway_config.wire.mirrored import MirroredArgument
from policies.language.decide import is_listed

_ACCEPTS: Final = b"application/json, text/event-stream"
_HANDLES: Final = frozenset({b"mcp-session-id", b"last-event-id"})
_PASSED: Final = ((b"traceparent", b"Traceparent"), (b"tracestate", b"Tracestate"), (HOP, b"PolicyLayer-Hop"))


def upstream_lines(visit: Visit, handles: Handles, drift: DriftWatch) -> bytes:
    """Raises Refused for a session or event not of this grant, and for a header that contradicts the body."""
    request = visit.exchange.request
    given = request.headers
    by_headers_alone = visit.message is not None and not visit.era.modern
    # When a head recurs on a connection, its headers are the same object.
    known = request.memo.passed_on
    if by_headers_alone and known is not None and known[0] is given:
        return known[1]
    lines = _written(_upstream_headers(visit, given, handles, drift))
    if by_headers_alone and _HANDLES.isdisjoint(given):
        request.memo.passed_on = (given, lines)
    return lines


def _upstream_headers(
    visit: Visit, given: Mapping[bytes, bytes], handles: Handles, drift: DriftWatch
) -> list[tuple[bytes, bytes]]:
    accepts = b"text/event-stream" if visit.standing else _ACCEPTS
    headers = [(b"Accept", given.get(b"accept", accepts))]
    if visit.message is not None:
        headers += headers_for(visit.era, visit.message)
    elif (version := given.get(VERSION_HEADER)) is not None:
        check_version(version)
        headers.append((b"MCP-Protocol-Version", version))
    if b"mcp-session-id" in given:
        headers.append((b"Mcp-Session-Id", _unwrapped(visit, handles, "session", given[b"mcp-session-id"])))
    if b"last-event-id" in given:
        headers.append((b"Last-Event-ID", _unwrapped(visit, handles, "event", given[b"last-event-id"])))
    headers += [(name, given[key]) for key, name in _PASSED if key in given]
    if visit.era.modern and isinstance(visit.message, Request):
        headers += parameter_headers(visit.message, _mirrored(visit, visit.message, drift), given)
    return headers


def _written(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _mirrored(visit: Visit, message: Request, drift: DriftWatch) -> tuple[MirroredArgument, ...]:
    """Return nothing for a tool that its caller may not know of, or that has drifted."""
    admitted, name = visit.admitted, message.params.get("name")
    known = (
        admitted.server.tools.get(name) if message.method == "tools/call" and isinstance(name, str) else None
    )
    if known is None or not known.mirrored or drift.moved(admitted, known.name):
        return ()
    return known.mirrored if is_listed(admitted.grant.compiled, known.name) else ()


def _unwrapped(visit: Visit, handles: Handles, kind: Kind, wrapped: bytes) -> bytes:
    handle = handles.unwrap(kind, visit.admitted, wrapped)
    if handle is not None:
        return handle
    identifier = visit.message.id if isinstance(visit.message, Request) else None
    if kind == "session":
        # 404 tells a client that its session is over and that it should begin a new one.
        raise Refused(INVALID_REQUEST, "There is no such session.", id=identifier, status=404)
    raise Refused(INVALID_PARAMS, "There is no such event to go on from.", id=identifier)
