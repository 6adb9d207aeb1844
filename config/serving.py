"""Serves the site: a fixed pool of threads answers requests, and the event loop sends streams.

Django's own ASGI handler, of which this is a subclass, makes a thread for each request, however many come at
once: they then wait for each other's database connections until some of them fail.
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

# Few enough that each has a database connection, with some left for streams.
THREADS: Final = 8
ALIVE: Final = "/healthz"
# If a charset is named, Django parses the whole URL before any handler could answer for its errors.
_UNREADABLE: Final = (ValueError, SuspiciousOperation)


class Site(ASGIHandler):
    def __init__(self) -> None:
        # Unlike ASGIHandler's own: middleware and views are called synchronously, without an event loop.
        BaseHandler.__init__(self)
        self.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="site")
        # Health checks must not queue behind requests that wait for the database.
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="pulse")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        try:
            # On the event loop, so that a client that sends slowly does not hold a thread.
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
        """Answer in one of our threads, and return its database connection before the thread is done."""
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
        """Build the request, without the traceback that `create_request` logs: anyone may send garbage."""
        try:
            request = ASGIRequest(scope, body)
        except RequestDataTooBig:
            return HttpResponse("The body is too large.\n", status=413, content_type="text/plain")
        except _UNREADABLE:
            return HttpResponse(status=400)
        return self.get_response(request)

    async def _stream(self, answer: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        """Send a stream until it ends or the client leaves."""
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
