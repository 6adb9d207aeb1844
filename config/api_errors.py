"""DRF's EXCEPTION_HANDLER: the errors that `common.drf` knows, and the policy language's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.api_views import ApiView
from common.drf import problem, problem_answer
from policies.language.problems import PolicyInvalid, Problem


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    if not isinstance(error, PolicyInvalid):
        return problem_answer(error, context)
    count = len(error.problems)
    detail = "The policy has 1 problem." if count == 1 else f"The policy has {count} problems."
    return problem("invalid_policy", detail, errors=[_entry(found) for found in error.problems])


def _entry(found: Problem) -> dict[str, Any]:
    return {
        "pointer": found.pointer,
        "code": found.code,
        "message": found.message,
        "line": found.line,
        "column": found.column,
    }


@extend_schema(exclude=True)
class Nothing(ApiView):
    """Answers unknown API paths in JSON too: with 404, if the asker's credentials are valid."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404
