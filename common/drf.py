"""The REST face: one strict parser, one place where errors become problem+json, one kind of page."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import IO, Any

import jiter
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from common.api_filters import InvalidQuery
from common.api_problems import PROBLEMS, problem_type
from common.api_strict import misfits
from common.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Stale,
    TooSoon,
)

LARGEST_BODY = 2 * 1024 * 1024
# RFC 9110, 8.8.3: a list of tags, whose own text may hold commas.
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
PROBLEM_JSON = "application/problem+json"
_NO_KEY = "There is no API key in the request. Send one: `Authorization: Bearer plk_…`."
_TOO_LARGE = "The body may have at most 2 MiB."


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: no duplicate keys, no NaN, no lone surrogates, nothing after the end.

    Numbers with a fraction or exponent arrive as `jiter.LosslessFloat`: rules compare them exactly.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise RequestDataTooBig
        try:
            return jiter.from_json(
                body, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float"
            )
        except ValueError as wrong:
            raise exceptions.ParseError(f"The body is not well-formed JSON: {wrong}.") from None


def problem(kind: str, detail: str, *, errors: list[dict[str, Any]] | None = None) -> Response:
    body = _problem_body(kind, detail)
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=body["status"], content_type=PROBLEM_JSON)


def problem_answer_of(kind: str, detail: str) -> JsonResponse:
    """As `problem`, outside a DRF view."""
    body = _problem_body(kind, detail)
    return JsonResponse(body, status=body["status"], content_type=PROBLEM_JSON)


def too_large() -> JsonResponse:
    return problem_answer_of("too_large", _TOO_LARGE)


def _problem_body(kind: str, detail: str) -> dict[str, Any]:
    known = PROBLEMS[kind]
    return {
        "type": problem_type(kind),
        "code": kind,
        "title": known.title,
        "status": known.status,
        "detail": detail,
    }


def problem_answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """An error unknown here is a defect: it becomes a 500, and the request's transaction is rolled back."""
    if isinstance(error, exceptions.MethodNotAllowed):
        asked, allowed = context["request"].method, ", ".join(context["view"].allowed_methods)
        return problem("method_not_allowed", f"{asked} is not available here; available: {allowed}.")
    return _of_domain(error) if isinstance(error, DomainError) else _of_framework(error)


def field_errors(fields: Mapping[str, Any], at: str = "") -> list[dict[str, Any]]:
    """Nested field errors as `[{pointer, message}]`. Errors about no single field are about the whole."""
    found: list[dict[str, Any]] = []
    for name, said in fields.items():
        inside = name not in ("", "non_field_errors")
        pointer = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}" if inside else at
        if isinstance(said, Mapping):
            found += field_errors(said, pointer)
        else:
            sentences = said if isinstance(said, list | tuple) else [said]
            found += [{"pointer": pointer, "message": str(sentence)} for sentence in sentences]
    return found


def _query_errors(error: InvalidQuery) -> list[dict[str, Any]]:
    return [
        {"pointer": "", "parameter": name, "message": sentence}
        for name, sentences in error.field_errors.items()
        for sentence in sentences
    ]


def _of_domain(error: DomainError) -> Response:
    match error:
        case InvalidQuery():
            return problem("invalid_input", error.message, errors=_query_errors(error))
        case InvalidInput():
            return problem("invalid_input", error.message, errors=field_errors(error.field_errors))
        case NotAllowed():
            return problem("not_allowed", error.message)
        case NotFound():
            return problem("not_found", error.message)
        case TooSoon():
            answer = problem("throttled", error.message)
            answer["Retry-After"] = error.retry_after
            return answer
        case LimitReached():
            return problem("limit_reached", error.message)
        case Stale():
            return problem("stale", error.message)
        case Conflict():
            return problem("conflict", error.message)
        case _:
            raise error


def _of_framework(error: Exception) -> Response | None:
    match error:
        case exceptions.ValidationError():
            return problem("invalid_input", PROBLEMS["invalid_input"].title, errors=_validation_errors(error))
        case exceptions.ParseError():
            return problem("malformed_json", str(error.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            no_key = isinstance(error, exceptions.NotAuthenticated)
            answer = problem("unauthenticated", _NO_KEY if no_key else str(error.detail))
            answer["WWW-Authenticate"] = 'Bearer realm="policylayer"'
            return answer
        case exceptions.PermissionDenied() | PermissionDenied():
            return problem("not_allowed", str(error) or PROBLEMS["not_allowed"].title)
        case exceptions.NotFound() | Http404():
            return problem("not_found", PROBLEMS["not_found"].title)
        case exceptions.NotAcceptable():
            return problem("not_acceptable", PROBLEMS["not_acceptable"].title)
        case exceptions.UnsupportedMediaType():
            return problem("unsupported_media_type", PROBLEMS["unsupported_media_type"].title)
        case PreconditionRequired():
            return problem("precondition_required", str(error.detail))
        case exceptions.Throttled():
            wait = str(math.ceil(getattr(error, "wait", None) or 1))
            answer = problem("throttled", f"There were too many requests. Wait {wait} s, then send it again.")
            answer["Retry-After"] = wait
            return answer
        case RequestDataTooBig():
            return problem("too_large", _TOO_LARGE)
        case _:
            return None


def _validation_errors(error: exceptions.ValidationError) -> list[dict[str, Any]]:
    detail = error.detail
    if isinstance(detail, Mapping):
        return field_errors(detail)
    return [{"pointer": "", "message": str(sentence)} for sentence in detail]


def valid(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """The input, checked; raises the problem with the place of every error. Unknown fields are refused."""
    sent = getattr(serializer, "initial_data", None)
    if not isinstance(sent, Mapping):
        raise exceptions.ValidationError(["Send one JSON object."])
    serializer.is_valid()
    if wrong := _both(dict(serializer.errors), misfits(serializer, sent)):
        raise exceptions.ValidationError(wrong)
    given: dict[str, Any] = serializer.validated_data
    return given


def _both(found: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(found)
    for name, said in more.items():
        before = merged.get(name)
        if isinstance(said, Mapping) and isinstance(before, Mapping):
            said = _both(before, said)
        merged[name] = said
    return merged


class PreconditionRequired(exceptions.APIException):
    status_code = 428


def shown_once(data: Mapping[str, Any], name: str, secret: str | None, status: int = 200) -> Response:
    """An answer with a secret that is never kept, not even for a retry with the same Idempotency-Key."""
    answer = Response({**data, name: secret}, status=status)
    answer["Cache-Control"] = "no-store"
    answer.shown_once = (name,)  # type: ignore[attr-defined]  # for accounts.api.idempotency
    return answer


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def etag_of_text(text: str) -> str:
    """For what has no version of its own."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_of(request: Request, current: str) -> bool:
    """True if `If-Match`, which a change needs, insists on any version; raises if it names only others."""
    said = request.headers.get("If-Match")
    if said is None:
        raise PreconditionRequired("Send If-Match with the ETag you read, or If-Match: * to insist.")
    if said.strip() == "*":
        return True
    if current not in _strong_tags(said):
        raise Stale("Someone changed this since you read it. Read it again and send its ETag.")
    return False


def version_of(request: Request, current: int) -> int | None:
    """The version that is changed, as `If-Match` names it; None if it insists on any."""
    return None if is_of(request, etag(current)["ETag"]) else current


def _strong_tags(said: str) -> list[str]:
    """The strong tags of a list as in RFC 9110; none if it is not one. A weak tag (`W/`) equals no other."""
    if _TAGS.fullmatch(said) is None:
        return []
    return [found[0] for found in _TAG.finditer(said) if not found[0].startswith("W/")]
