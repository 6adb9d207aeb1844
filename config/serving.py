"""Serves the site: requests are answered in threads that stay, streams are sent by the event loop.

Django's own ASGI handler makes a thread for each request and changes between it and the event loop several
times; that costs more than most answers do.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import IO, Any, Final

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import FileResponse, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from config.bodies import Receive, Send

# No more than have a connection to the database each, with some left for streams.
THREADS: Final = 8
ALIVE: Final = "/healthz"
_PART: Final = 65_536
_LEFT: Final = "http.disconnect"


class Site(BaseHandler):
    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="site")
        # Whoever asks whether we are alive does not stand in line behind those who wait for the database.
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="pulse")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        body = await _body(receive)
        if body is None:
            return
        threads = self._pulse if scope["path"] == ALIVE else self._threads
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(threads, self._answer, scope, body)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": _head(answer)})
        if isinstance(answer, StreamingHttpResponse):
            await self._stream(answer, receive, send)
        else:
            assert isinstance(answer, HttpResponse)
            await send({"type": "http.response.body", "body": answer.content})

    def _answer(self, scope: Any, body: IO[bytes]) -> HttpResponseBase:
        """In a thread of ours, whose connection to the database is given back before it is done."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        try:
            answer = self._asked(scope, body)
            answer._handler_class = type(self)  # type: ignore[attr-defined]  # told of its end
            if not answer.streaming:
                answer.close()
            return answer
        finally:
            close_old_connections()

    def _asked(self, scope: Any, body: IO[bytes]) -> HttpResponseBase:
        try:
            request = ASGIRequest(scope, body)
        except UnicodeDecodeError:
            return HttpResponse(status=400)
        except RequestDataTooBig:
            return HttpResponse("The body is too large.\n", status=413, content_type="text/plain")
        return self.get_response(request)

    async def _stream(self, answer: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        """Until its end, or until nobody reads any more."""
        sending = asyncio.ensure_future(self._send_parts(answer, send))
        leaving = asyncio.ensure_future(_has_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            ended = await asyncio.gather(sending, leaving, return_exceptions=True)
            await asyncio.get_running_loop().run_in_executor(self._threads, answer.close)
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _send_parts(self, answer: StreamingHttpResponse, send: Send) -> None:
        async with aclosing(self._parts(answer)) as parts:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async def _parts(self, answer: StreamingHttpResponse) -> AsyncGenerator[bytes]:
        if answer.is_async:
            async for part in answer:
                yield part
            return
        if isinstance(answer, FileResponse):
            answer.block_size = _PART
        rest: Iterator[bytes] = iter(answer)
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._threads, next, rest, None)) is not None:
            yield piece


async def _body(receive: Receive) -> IO[bytes] | None:
    """None where the client left before it had said all."""
    message = await receive()
    if message["type"] != _LEFT and not message.get("more_body", False):
        return io.BytesIO(message.get("body", b""))
    # To the disk where it is large: many may be sending at once, and slowly.
    file = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115
    while message["type"] != _LEFT:
        file.write(message.get("body", b""))
        if not message.get("more_body", False):
            file.seek(0)
            return file
        message = await receive()
    file.close()
    return None


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != _LEFT:
        pass


def _head(answer: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    head = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.items()]
    cookies = (cookie.output(header="").strip() for cookie in answer.cookies.values())
    return head + [(b"Set-Cookie", cookie.encode("ascii")) for cookie in cookies]
