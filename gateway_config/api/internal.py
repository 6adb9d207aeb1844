"""The gateways' API. Served on the internal listener only; each worker has a token of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from common.async_database import in_thread
from common.internal_api import (
    HIGHEST_CURSOR,
    LONGEST_WAIT,
    Refused,
    answer,
    let_go_of_the_thread,
    number_in,
    read_message,
    refusal,
)
from common.notifications import HEADS, waiting_for
from gateway_config.limiters import note_limiter
from gateway_config.models import Worker
from gateway_config.wire.messages import Ack, HeadsAnswer, Hello, HelloAnswer, LimiterState
from gateway_config.workers import (
    grant_part,
    heads_after,
    newest_bundle,
    note_acks,
    note_worker,
    worker_of_token,
)

P = ParamSpec("P")
WorkerView = Callable[Concatenate[HttpRequest, Worker, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
WaitingView = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]

_UNKNOWN = Refused(401, "this token is not a worker's")


def for_workers(view: WorkerView[P]) -> View[P]:
    """Passes the worker whose token came with the request as the second argument; without one: 401."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        worker = worker_of_token(_token(request))
        if worker is None:
            return refusal(_UNKNOWN)
        try:
            return view(request, worker, *args, **kwargs)
        except Refused as refused:
            return refusal(refused)

    # `wraps` keeps the view's own parameters in the type, which include the worker.
    return guarded  # type: ignore[return-value]


def for_waiting_workers(view: WaitingView) -> WaitingView:
    """As `for_workers`, for long waits: a waiting request holds neither a thread nor a connection."""

    @csrf_exempt
    @wraps(view)
    async def guarded(request: HttpRequest) -> HttpResponse:
        if await in_thread(worker_of_token, _token(request)) is None:
            return refusal(_UNKNOWN)
        let_go_of_the_thread()
        try:
            return await view(request)
        except Refused as refused:
            return refusal(refused)

    return guarded


@require_GET
@for_waiting_workers
async def heads(request: HttpRequest) -> HttpResponse:
    """`cursor`: the last answer's; 0 for all. Answers as soon as something changes, else after `wait` s."""
    cursor = number_in(request, "cursor", HIGHEST_CURSOR)
    return answer(await _next_heads(cursor, number_in(request, "wait", LONGEST_WAIT)))


async def _next_heads(cursor: int, seconds: float) -> HeadsAnswer:
    until = time.monotonic() + seconds
    with waiting_for(HEADS) as waiter:
        while True:
            found = await in_thread(heads_after, cursor)
            left = until - time.monotonic()
            if found.heads or found.cursor != cursor or left <= 0:
                return found
            await waiter.wait(left)


@require_GET
@for_workers
def bundle(request: HttpRequest, worker: Worker, organization_id: UUID) -> HttpResponse:
    found = newest_bundle(organization_id)
    if found is None:
        raise Refused(404, "there is no configuration of this organization")
    return answer(found)


@require_GET
@for_workers
def grants(request: HttpRequest, worker: Worker, organization_id: UUID, digest: str) -> HttpResponse:
    """A part of a bundle's grants, byte for byte as its digest was computed."""
    body = grant_part(organization_id, digest)
    if body is None:
        raise Refused(404, "no configuration of this organization names this part")
    return HttpResponse(body, content_type="application/json")


@require_POST
@for_workers
def acks(request: HttpRequest, worker: Worker) -> HttpResponse:
    note_acks(worker, read_message(request, list[Ack]))
    return HttpResponse(status=204)


@require_POST
@for_workers
def hello(request: HttpRequest, worker: Worker) -> HttpResponse:
    said = read_message(request, Hello)
    note_worker(worker, said)
    return answer(HelloAnswer(worker.name))


@require_POST
@for_workers
def limiter(request: HttpRequest, worker: Worker) -> HttpResponse:
    return answer(note_limiter(worker, read_message(request, LimiterState)))


def _token(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
