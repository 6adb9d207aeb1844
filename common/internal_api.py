"""How the internal API reads requests and answers them: as JSON, in messages that both planes share."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from asgiref.sync import SyncToAsync
from django.http import HttpRequest, HttpResponse

T = TypeVar("T")

LONGEST_WAIT = 25
# The largest number a cursor can name; PostgreSQL refuses to compare with a larger one.
HIGHEST_CURSOR = 2**63 - 1
LARGEST_BODY = 32 * 1024 * 1024


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def read_message(request: HttpRequest, kind: type[T]) -> T:
    """The body as one of our messages, or Refused."""
    # Not `request.body`: its limit is for what people upload.
    body = request.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise Refused(413, f"at most {LARGEST_BODY} bytes are read")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise Refused(400, f"the message cannot be read: {problem}") from None


def number_in(request: HttpRequest, name: str, most: int) -> int:
    """A whole number from the query; 0 if it is missing."""
    text = request.GET.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise Refused(400, f"{name} must be a whole number")
    return min(int(text), most)


def let_go_of_the_thread() -> None:
    """Gives back the thread that Django keeps for each request to its end: one that waits needs none.

    Code that needs a thread later in this request gets another.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if executor is not None:
        executor.shutdown(wait=False)


def answer(message: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(message), content_type="application/json", status=status)


def refusal(refused: Refused) -> HttpResponse:
    response = answer({"error": refused.why}, refused.status)
    if refused.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
