"""The REST face: one strict parser, one place where errors become problem+json, one kind of page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import jiter
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError, transaction
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Field, Serializer

from common.errors import Conflict, DomainError, InvalidInput, LimitReached, NotAllowed, NotFound, Stale

if TYPE_CHECKING:
    # At run time this would be a circle: the views of DRF read the parser from its settings.
    from rest_framework.views import APIView

LARGEST_BODY = 2 * 1024 * 1024
PROBLEM_JSON = "application/problem+json"
# What `type` may be, with its title. The API reference lists the same.
PROBLEMS: dict[str, tuple[int, str]] = {
    "invalid_input": (400, "Some of what was sent cannot be used."),
    "invalid_policy": (422, "The policy has problems."),
    "malformed_json": (400, "The body is not well-formed JSON."),
    "unauthenticated": (401, "Send a good API key, or sign in."),
    "not_allowed": (403, "Your role or key does not allow this."),
    "not_found": (404, "There is nothing here."),
    "method_not_allowed": (405, "This path does not answer that method."),
    "not_acceptable": (406, "This path answers JSON."),
    "conflict": (409, "What was asked for no longer fits what is there."),
    "too_large": (413, "The body is too large."),
    "unsupported_media_type": (415, "Send application/json."),
    "stale": (412, "It was changed since you read it."),
    "key_reused": (422, "This Idempotency-Key belongs to another request."),
    "precondition_required": (428, "Say which version you change."),
    "limit_reached": (429, "There are as many of these as there may be."),
    "throttled": (429, "Too many requests."),
}


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: no duplicate keys, no NaN, no lone surrogates, nothing behind the end.

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


class NewestFirst(CursorPagination):
    """`{results, next, previous}`; `next` and `previous` are whole URLs or null."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    # Rows that are equal in the first field of the order are counted off; there may be many.
    offset_cutoff = 1_000_000

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            with transaction.atomic():
                return super().paginate_queryset(queryset, request, view)
        except (DataError, ValidationError, ValueError, OverflowError):
            # A cursor is a client's text; what stands in a forged one need not fit the column.
            raise exceptions.NotFound from None


def problem(kind: str, detail: str, *, errors: list[dict[str, Any]] | None = None) -> Response:
    body = _problem_body(kind, detail)
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=body["status"], content_type=PROBLEM_JSON)


def problem_answer_of(kind: str, detail: str) -> JsonResponse:
    """The same outside of a DRF view."""
    body = _problem_body(kind, detail)
    return JsonResponse(body, status=body["status"], content_type=PROBLEM_JSON)


def _problem_body(kind: str, detail: str) -> dict[str, Any]:
    code, title = PROBLEMS[kind]
    return {"type": f"urn:policylayer:problem:{kind}", "title": title, "status": code, "detail": detail}


def problem_answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """What it does not know is a defect: it becomes a 500, and the request's transaction is rolled back."""
    return _of_domain(error) if isinstance(error, DomainError) else _of_framework(error)


def field_errors(fields: Mapping[str, Any], at: str = "") -> list[dict[str, Any]]:
    """Flattens nested field errors into `[{pointer, message}]`."""
    found: list[dict[str, Any]] = []
    for name, said in fields.items():
        pointer = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}" if name != "" else at
        if isinstance(said, Mapping):
            found += field_errors(said, pointer)
        else:
            sentences = said if isinstance(said, list | tuple) else [said]
            found += [{"pointer": pointer, "message": str(sentence)} for sentence in sentences]
    return found


def _of_domain(error: DomainError) -> Response:
    match error:
        case InvalidInput():
            return problem("invalid_input", error.message, errors=field_errors(error.field_errors))
        case NotAllowed():
            return problem("not_allowed", error.message)
        case NotFound():
            return problem("not_found", error.message)
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
            return problem("invalid_input", PROBLEMS["invalid_input"][1], errors=_validation_errors(error))
        case exceptions.ParseError():
            return problem("malformed_json", str(error.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            answer = problem("unauthenticated", str(error.detail))
            answer["WWW-Authenticate"] = 'Bearer realm="policylayer"'
            return answer
        case exceptions.PermissionDenied() | PermissionDenied():
            return problem("not_allowed", str(error) or PROBLEMS["not_allowed"][1])
        case exceptions.NotFound() | Http404():
            return problem("not_found", PROBLEMS["not_found"][1])
        case exceptions.MethodNotAllowed():
            return problem("method_not_allowed", str(error.detail))
        case exceptions.NotAcceptable():
            return problem("not_acceptable", PROBLEMS["not_acceptable"][1])
        case exceptions.UnsupportedMediaType():
            return problem("unsupported_media_type", PROBLEMS["unsupported_media_type"][1])
        case PreconditionRequired():
            return problem("precondition_required", str(error.detail))
        case exceptions.Throttled():
            answer = problem("throttled", str(error.detail))
            answer["Retry-After"] = str(math.ceil(getattr(error, "wait", None) or 1))
            return answer
        case RequestDataTooBig():
            return problem("too_large", "The body may have at most 2 MiB.")
        case _:
            return None


def _validation_errors(error: exceptions.ValidationError) -> list[dict[str, Any]]:
    detail = error.detail
    if isinstance(detail, Mapping):
        renamed = {"" if name == "non_field_errors" else name: said for name, said in detail.items()}
        return field_errors(renamed)
    return [{"pointer": "", "message": str(sentence)} for sentence in detail]


def valid(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """What was sent, checked; raises the problem with every field's place. Unknown fields are refused."""
    serializer.is_valid()
    wrong: dict[str, Any] = dict(serializer.errors)
    wrong |= unknown_fields(serializer, getattr(serializer, "initial_data", None))
    if wrong:
        raise exceptions.ValidationError(wrong)
    given: dict[str, Any] = serializer.validated_data
    return given


def unknown_fields(field: Field[Any, Any, Any, Any], sent: object) -> dict[str, Any]:
    if not isinstance(field, Serializer) or not isinstance(sent, Mapping):
        return {}
    found: dict[str, Any] = {}
    for name, value in sent.items():
        one = field.fields.get(name)
        if one is None or one.read_only:
            found[name] = ["There is no such field here."]
        elif inner := unknown_fields(one, value):
            found[name] = inner
    return found


class PreconditionRequired(exceptions.APIException):
    status_code = 428


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def version_of(request: Request) -> int | None:
    """The version named by `If-Match`, which a change needs; None for `*`. Raises the problem otherwise."""
    named = request.headers.get("If-Match")
    if named is None:
        raise PreconditionRequired('Send If-Match with the ETag you read, or If-Match: "*" to insist.')
    if named.strip() in {"*", '"*"'}:
        return None
    found = re.fullmatch(r'"(\d{1,18})"', named.strip())
    if found is None:
        raise Stale("This ETag is none of ours. Read it again and send its ETag.")
    return int(found[1])
