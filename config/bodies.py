"""Refuses requests whose body is larger than any view reads.

Django writes the whole body to a file before it looks at the request, so a stranger could fill the disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

_SAID: Final = b"The body is too large.\n"


class _TooLarge(Exception):  # noqa: N818
    pass


def with_bodies_up_to(most: int, application: Application) -> Application:
    async def limited(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
        elif _announced(scope) > most:
            await _refuse(scope, send)
        else:
            try:
                await application(scope, _counted(receive, most), send)
            except _TooLarge:
                await _refuse(scope, send)

    return limited


def _counted(receive: Receive, most: int) -> Receive:
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _TooLarge
        return message

    return counted


def _announced(scope: Any) -> int:
    """Return the Content-Length, or 0 if it is missing or malformed; the body is counted in any case."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit() and len(value) < 19), default=0)


async def _refuse(scope: Any, send: Send) -> None:
    kind, said = _answer(scope["path"])
    headers = [(b"content-type", kind), (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def _answer(path: str) -> tuple[bytes, bytes]:
    if not path.startswith("/api/"):
        return b"text/plain", _SAID
    from common.drf import too_large  # only once Django is set up

    answer = too_large()
    return answer["Content-Type"].encode(), answer.content
