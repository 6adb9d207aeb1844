"""What gateways ask and tell. Served on the internal listener only; each worker shows a token of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from asgiref.sync import SyncToAsync
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from common.async_database import in_thread
from common.internal_api import Refused, answer, read_message, refusal
from common.notifications import HEADS, waiting_for
from gateway_config.models import Worker
from gateway_config.wire.messages import Ack, HeadsAnswer, Hello, HelloAnswer
from gateway_config.workers import (
    HIGHEST_CURSOR,
    heads_after,
    newest_bundle,
    note_acks,
    note_worker,
    worker_of_token,
)

P = ParamSpec("P")
WorkerView = Callable[Concatenate[HttpRequest, Worker, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

LONGEST_WAIT = 25
_UNKNOWN = Refused(401, "this token is no worker's")


def for_workers(view: WorkerView[P]) -> View[P]:
    """The view's second argument is the worker whose token came with the request; without one: 401."""

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


@require_GET
async def heads(request: HttpRequest) -> HttpResponse:
    """`cursor`: the last answer's; 0 for all. Answers at once when something moved, else after `wait` s."""
    if await in_thread(worker_of_token, _token(request)) is None:
        return refusal(_UNKNOWN)
    try:
        cursor = _number(request, "cursor", HIGHEST_CURSOR)
        seconds = _number(request, "wait", LONGEST_WAIT)
    except Refused as refused:
        return refusal(refused)
    _let_go_of_the_thread()
    return answer(await _next_heads(cursor, seconds))


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


@require_POST
@for_workers
def acks(request: HttpRequest, worker: Worker) -> HttpResponse:
    note_acks(worker, read_message(request, list[Ack]))
    return HttpResponse(status=204)


@require_POST
@for_workers
def hello(request: HttpRequest, worker: Worker) -> HttpResponse:
    said = read_message(request, Hello)
    note_worker(worker, said.version, said.high_water)
    return answer(HelloAnswer(worker.name))


def _token(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _number(request: HttpRequest, name: str, most: int) -> int:
    text = request.GET.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise Refused(400, f"{name} must be a whole number")
    return min(int(text), most)


def _let_go_of_the_thread() -> None:
    """Django gives every request a thread of its own until its end; one that waits does without.

    Whoever needs a thread later in this request gets another.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if executor is not None:
        executor.shutdown(wait=False)
