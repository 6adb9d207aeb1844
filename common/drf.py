"""The REST face: one strict parser, one place where errors become problem+json, one kind of page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import jiter
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError, transaction
from django.http import Http404
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from common.errors import Conflict, DomainError, InvalidInput, LimitReached, NotAllowed, NotFound

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


def problem(kind: str, detail: str, *, errors: list[dict[str, Any]] | None = None, **more: Any) -> Response:
    code, title = PROBLEMS[kind]
    body: dict[str, Any] = {
        "type": f"urn:policylayer:problem:{kind}",
        "title": title,
        "status": code,
        "detail": detail,
        **more,
    }
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=code, content_type=PROBLEM_JSON)


def problem_answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """What it does not know is a defect: it becomes a 500, and the request's transaction is rolled back."""
    return _of_domain(error) if isinstance(error, DomainError) else _of_framework(error)


def field_errors(fields: Mapping[str, Any], at: str = "") -> list[dict[str, Any]]:
    """Flattens nested field errors into `[{pointer, message}]`."""
    found: list[dict[str, Any]] = []
    for name, said in fields.items():
        pointer = f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}" if name else at
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
        case exceptions.Throttled():
            answer = problem("throttled", str(error.detail))
            answer["Retry-After"] = str(int(getattr(error, "wait", None) or 1) + 1)
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
    """What was sent, checked; raises the problem with every field's place."""
    serializer.is_valid(raise_exception=True)
    given: dict[str, Any] = serializer.validated_data
    return given


__all__ = ["PROBLEMS", "NewestFirst", "StrictJSONParser", "problem", "problem_answer", "valid"]
