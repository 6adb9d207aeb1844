"""What is refused about the framing and the headers of a request, before anybody asks what it wants."""

import json
from typing import Final

from gateway.http_messages import Reply, Request, plain

# Of these, two readers might each believe another copy.
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"last-event-id",
        b"mcp-method",
        b"mcp-name",
        b"mcp-protocol-version",
        b"mcp-session-id",
        b"origin",
        b"transfer-encoding",
    }
)
# And after these, what follows on the connection as well.
_FRAMING: Final = frozenset({b"content-length", b"host", b"transfer-encoding"})


def join_repeated(request: Request, name: bytes, value: bytes) -> None:
    if name in _SINGLE or name.startswith(b"mcp-param-"):
        told = f"The header {name.decode('ascii', 'replace')} is there twice."
        request.problem = refusal(told, close=name in _FRAMING)
    else:
        request.headers[name] += b", " + value


def framing_problem(request: Request, version: str, most: int) -> Reply | None:
    headers = request.headers
    request.http11 = version == "1.1"
    if version not in ("1.0", "1.1"):
        return refusal("Only HTTP/1.1 is spoken here.", close=True)
    length = headers.get(b"content-length")
    coding = headers.get(b"transfer-encoding")
    request.has_body = coding is not None or (length is not None and length.strip() != b"0")
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        return refusal("This Transfer-Encoding is not accepted.", close=True)
    if length is not None:
        length = length.strip()
        if not length.isdigit():
            return refusal("This Content-Length is not a number.", close=True)
        if len(length) > 15 or int(length) > most:
            return body_too_large(most)
    if b"expect" in headers and headers[b"expect"].lower() != b"100-continue":
        return plain(417, "This expectation cannot be met.", close=True)
    return None


def body_too_large(most: int) -> Reply:
    return refusal(f"The body is larger than {most} bytes.")


def refusal(reason: str, *, code: int = -32600, status: int = 400, close: bool = False) -> Reply:
    """A JSON-RPC error before there is a message to take an id from."""
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": reason}}
    body = json.dumps(error, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, b"Content-Type: application/json\r\n", body, close)
