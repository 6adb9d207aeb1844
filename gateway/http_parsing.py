"""Refusals of a request for its framing and its headers, before anyone looks at what it asks for."""

from typing import Final

from gateway.http_messages import Reply, Request, refusal

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
MOST_HEADERS: Final = 128
MOST_WAITING: Final = 64
"""Requests of one connection that were sent before the previous one was answered."""
UNREADABLE: Final = refusal("This is not a request we can read.", close=True)
HEAD_TOO_LARGE: Final = refusal("The head of the request is too large.", status=431, close=True)
TOO_SLOW: Final = refusal("The request took too long to arrive.", status=408, close=True)
FULL: Final = refusal("Too many connections.", status=503, headers=b"Retry-After: 1\r\n", close=True)
NO_ROOM: Final = refusal(
    "Too many or too large requests are open.", status=429, headers=b"Retry-After: 1\r\n", close=True
)
FAILED: Final = refusal("The gateway failed on this request.", status=500, close=True)
# If one of these came twice, two readers might each believe a different copy. Nothing after such a head is
# read: its other headers are not examined, and may be ones that readers disagree about, too.
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


def join_repeated(request: Request, name: bytes, value: bytes) -> None:
    if name in _SINGLE or name.startswith(b"mcp-param-"):
        told = name.decode("ascii") if name in _SINGLE else "Mcp-Param-..."
        request.problem = refusal(f"The header {told} appears twice.", close=True)
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
        return refusal("This expectation cannot be met.", status=417, close=True)
    return None


def body_too_large(most: int) -> Reply:
    return refusal(f"The body is larger than {most} bytes.")
