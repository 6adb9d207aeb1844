"""`Idempotency-Key` on POST: a repeated request, even a concurrent one, has one effect and one answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from accounts.api.throttling import spend
from accounts.middleware import API_PREFIX
from accounts.models import IdempotentAnswer, Membership
from common.drf import problem_answer_of

KEPT: Final = timedelta(hours=24)
HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


# No JSON text begins like this, so it cannot be confused with a stored body.
_AGAIN: Final = "again:"


@dataclass(frozen=True, slots=True)
class Again:
    """Set as `again` on a streamed answer: what it is about, so that it can be produced a second time."""

    kind: str
    subject: UUID


# How to answer again, by kind; apps register themselves at start. Arguments: the organization, the subject.
ANSWERS_AGAIN: Final[dict[str, Callable[[UUID, UUID], HttpResponseBase]]] = {}


class IdempotencyMiddleware:
    """Runs inside the request's transaction, so that an effect and the record of it are committed together.

    The row of a key is unique, so the second of two concurrent requests waits for the first. A request that
    was refused had no effect: its key may be used again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        member: Membership | None = request.member  # type: ignore[attr-defined]
        asked = request.method == "POST" and request.path.startswith(API_PREFIX)
        if key is None or member is None or not asked:
            return self.get_response(request)
        if not _KEY.fullmatch(key):
            said = f"{HEADER} takes 1 to 255 visible ASCII characters without spaces."
            return _instead(request, lambda: problem_answer_of("invalid_input", said))
        try:
            digest = _digest_of(request)
        except RequestDataTooBig:
            return self.get_response(request)
        return self._once(request, member, key, digest)

    def _once(self, request: HttpRequest, member: Membership, key: str, digest: str) -> HttpResponseBase:
        mine = IdempotentAnswer.objects.filter(member=member, api_key=member.acting_key)
        _forget_old(mine.filter(key=key))
        row = IdempotentAnswer(
            organization_id=member.organization_id,
            member=member,
            api_key=member.acting_key,
            key=key,
            request_digest=digest,
        )
        IdempotentAnswer.objects.bulk_create([row], ignore_conflicts=True)
        kept = mine.get(key=key)
        if kept.pk == row.pk:
            return self._first(request, row)
        if kept.request_digest != digest:
            said = f"This {HEADER} was already used for another request. Choose a new one."
            return _instead(request, lambda: problem_answer_of("key_reused", said))
        return _instead(request, lambda: _replayed(kept))

    def _first(self, request: HttpRequest, row: IdempotentAnswer) -> HttpResponseBase:
        answer = self.get_response(request)
        kept = None if answer.status_code >= 400 or _only_asked(request) else _kept(answer)
        if kept is None:
            row.delete()
            return answer
        row.status, row.body, row.etag = answer.status_code, kept, answer.headers.get("ETag", "")
        row.save(update_fields=["status", "body", "etag"])
        # At the end, for it locks them: whoever removes a member deletes theirs.
        _forget_old(IdempotentAnswer.objects.visible_to(row))
        return answer


def _forget_old(answers: QuerySet[IdempotentAnswer]) -> None:
    """Skip rows that another request is deleting right now: two waiting for each other would both fail."""
    old = answers.filter(created_at__lt=timezone.now() - KEPT)
    free = old.select_for_update(skip_locked=True).values("pk")
    IdempotentAnswer.objects.filter(pk__in=free).delete()


def _instead(request: HttpRequest, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Answer without reaching a view. The throttle runs in views, so the request is counted here instead."""
    allowance = spend(request)
    if allowance.left >= 0:
        return answer()
    refused = problem_answer_of("throttled", f"Wait {allowance.seconds} seconds.")
    refused["Retry-After"] = str(allowance.seconds)
    return refused


def _only_asked(request: HttpRequest) -> bool:
    """Return whether the POST only asks. It has no effect; its answer may be long and is not ours to keep."""
    match = request.resolver_match
    return match is not None and getattr(getattr(match.func, "view_class", None), "only_asks", False) is True


def _digest_of(request: HttpRequest) -> str:
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(asked + request.body).hexdigest()


def _kept(answer: HttpResponseBase) -> str | None:
    """Return what a repeated answer is made from, or None if this answer cannot be repeated."""
    if isinstance(answer, HttpResponse):
        return _without_secrets(answer)
    again: Again | None = getattr(answer, "again", None)
    return None if again is None else f"{_AGAIN}{again.kind}:{again.subject}"


def _without_secrets(answer: HttpResponse) -> str:
    once: tuple[str, ...] = getattr(answer, "shown_once", ())
    if not once:
        return answer.content.decode()
    whole: dict[str, Any] = msgspec.json.decode(answer.content)
    return msgspec.json.encode({**whole, **dict.fromkeys(once)}).decode()


def _replayed(kept: IdempotentAnswer) -> HttpResponseBase:
    if kept.body.startswith(_AGAIN):
        kind, _, subject = kept.body.removeprefix(_AGAIN).partition(":")
        answer = ANSWERS_AGAIN[kind](kept.organization_id, UUID(subject))
    else:
        answer = HttpResponse(kept.body, content_type="application/json", status=kept.status or 200)
        if kept.etag:
            answer["ETag"] = kept.etag
    answer["Idempotency-Replayed"] = "true"
    answer["Cache-Control"] = "no-store"
    return answer
