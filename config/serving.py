"""Serves the site: requests are answered in threads that stay, streams are sent by the event loop.

Django's own ASGI handler, of which this is one, makes a thread for each request, however many come at once:
they wait for each other's connections to the database until some are told of an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Any, Final

from django.core import signals
from django.core.exceptions import RequestAborted, RequestDataTooBig, SuspiciousOperation
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import FileResponse, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from config.bodies import Receive, Send

# No more than have a connection to the database each, with some left for streams.
THREADS: Final = 8
ALIVE: Final = "/healthz"
# Where a charset is named, Django reads the whole address before anything could answer for it.
_UNREADABLE: Final = (ValueError, SuspiciousOperation)


class Site(ASGIHandler):
    def __init__(self) -> None:
        # Not as the handler above does it: middleware and views are called without an event loop.
        BaseHandler.__init__(self)
        self.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="site")
        # Whoever asks whether we are alive does not stand in line behind those who wait for the database.
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="pulse")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        try:
            # On the loop: a client that sends slowly holds no thread.
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            threads = self._pulse if scope["path"] == ALIVE else self._threads
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(threads, self._answer, scope, body)
            if isinstance(answer, StreamingHttpResponse):
                await self._stream(answer, receive, send)
            else:
                await self.send_response(answer, send)

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
        """Without the traceback that `create_request` logs: anybody may send what cannot be read."""
        try:
            request = ASGIRequest(scope, body)
        except RequestDataTooBig:
            return HttpResponse("The body is too large.\n", status=413, content_type="text/plain")
        except _UNREADABLE:
            return HttpResponse(status=400)
        return self.get_response(request)

    async def _stream(self, answer: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        """Until its end, or until nobody reads any more."""
        if not answer.is_async:
            if isinstance(answer, FileResponse):
                answer.block_size = self.chunk_size
            answer.streaming_content = self._in_threads(iter(answer))
        sending = asyncio.ensure_future(self.send_response(answer, send))
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

    async def _in_threads(self, rest: Iterator[bytes]) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._threads, next, rest, None)) is not None:
            yield piece


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
