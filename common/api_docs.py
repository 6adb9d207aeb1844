"""The API reference: our own page, rendered from the schema that the code makes. No script of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from common.drf import PROBLEMS

PREFIX = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    sends: tuple[tuple[str, str, bool], ...]  # (field, type, required)
    answers: tuple[tuple[str, str], ...]  # (field, type)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    operations = [
        _operation(method, path, described, schema)
        for path, methods in sorted(schema["paths"].items())
        for method, described in methods.items()
    ]
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation.path.removeprefix(PREFIX).split("/")[0], []).append(operation)
    context = {"groups": groups, "problems": sorted(PROBLEMS.items()), "prefix": PREFIX, "section": "api"}
    return render(request, "pages/api_docs.html", context)


def _operation(method: str, path: str, described: dict[str, Any], schema: dict[str, Any]) -> Operation:
    body = _json_schema(described.get("requestBody", {}), schema)
    answer = next(
        (
            found
            for code, one in described["responses"].items()
            if code[0] == "2" and (found := _json_schema(one, schema))
        ),
        {},
    )
    required = set(body.get("required", []))
    return Operation(
        method=method.upper(),
        path=path,
        summary=described.get("description", ""),
        sends=tuple((name, _type(one), name in required) for name, one in body.get("properties", {}).items()),
        answers=tuple((name, _type(one)) for name, one in answer.get("properties", {}).items()),
    )


def _json_schema(holder: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = holder.get("content", {}).get("application/json", {}).get("schema", {})
    reference = found.get("$ref")
    if reference:
        found = schema["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return found


def _type(one: dict[str, Any]) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rsplit("/", 1)[1]
    kind = one.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
