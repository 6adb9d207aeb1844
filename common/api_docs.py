"""The API reference: our own page, rendered from the schema that the code makes. No third-party scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from common.api_document import api_document
from common.api_problems import PROBLEMS, problem_type

PREFIX: Final = "/api/v1/"
# In the order in which a reader meets them; groups that are not named here follow.
GROUPS: Final = (
    *("servers", "tools", "policies", "revisions", "grants", "decisions"),
    *(
        "approvals",
        "approval-rules",
        "webhooks",
        "audit-events",
        "workers",
        "me",
        "organization",
        "members",
        "invitations",
        "api-keys",
        "catalog",
    ),
)
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ONE: Final = {"policies": "policy"}
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    words: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    asks: tuple[Field, ...]  # in the query
    headers: tuple[Field, ...]
    sends: tuple[Field, ...]
    answers: tuple[Field, ...]
    status: str
    sample: str  # of the body, for a shell; empty if none is sent
    told: str  # what was answered to it


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    title: str
    operations: tuple[Operation, ...]


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    schema = api_document()
    context = {
        "groups": _groups(schema),
        "problems": sorted(PROBLEMS.items()),
        "prefix": PREFIX,
        "section": "api",
    }
    return render(request, "pages/api_docs.html", context)


@require_safe
def problem_page(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in PROBLEMS:
        raise Http404
    problem = PROBLEMS[kind]
    context = {
        "kind": kind,
        "problem": problem,
        "type": problem_type(kind),
        # Every second part was between backticks.
        "help": [(bool(at % 2), part) for at, part in enumerate(problem.help.split("`"))],
        "section": "api",
    }
    return render(request, "pages/api_problem.html", context)


def _groups(schema: Schema) -> list[Group]:
    by_key: dict[str, list[Operation]] = {key: [] for key in GROUPS}
    for path, methods in sorted(schema["paths"].items()):
        for method in (method for method in _METHODS if method in methods):
            by_key.setdefault(_key(path), []).append(_operation(method, path, methods[method], schema))
    return [Group(key, _title(key), tuple(operations)) for key, operations in by_key.items() if operations]


def _title(key: str) -> str:
    title = key.replace("-", " ")
    return (title[0].upper() + title[1:]).replace("Api ", "API ")


def _key(path: str) -> str:
    return path.removeprefix(PREFIX).split("/")[0]


def _operation(method: str, path: str, described: Schema, schema: Schema) -> Operation:
    body = _json_schema(described.get("requestBody", {}), schema)
    status, answer = _answer(described, schema)
    return Operation(
        method=method.upper(),
        path=path,
        summary=_plain(described.get("description") or _summary(method, path, answer)),
        asks=_parameters(described, "query"),
        headers=_parameters(described, "header"),
        sends=tuple(_fields(body, schema)),
        answers=tuple(_fields(answer, schema)),
        status=status,
        sample=_sample(described),
        told=_told(described, status),
    )


def _summary(method: str, path: str, answer: Schema) -> str:
    group = _key(path)
    one = _ONE.get(group, group.removesuffix("s"))
    match method:
        case "get" if "results" in answer.get("properties", {}):
            return f"The {path.rstrip('/').rsplit('/', 1)[1].replace('-', ' ')}, newest first."
        case "get":
            return f"One {one}." if "{" in path else f"The {one}."
        case "post":
            return f"Makes a {one}."
        case "delete":
            return f"Removes the {one}."
        case _:
            return "Changes what is given; the rest stays."


def _answer(described: Schema, schema: Schema) -> tuple[str, Schema]:
    good = [(code, one) for code, one in described["responses"].items() if code[0] == "2"]
    for code, one in good:
        if found := _json_schema(one, schema):
            return code, found
    return (good[0][0], {}) if good else ("", {})


def _parameters(described: Schema, place: str) -> tuple[Field, ...]:
    return tuple(_asked(one) for one in described.get("parameters", ()) if one["in"] == place)


def _asked(parameter: Schema) -> Field:
    one = parameter.get("schema", {})
    words = _plain(parameter.get("description", ""))
    if choices := one.get("enum"):
        words = " ".join(filter(None, [words, f"One of {', '.join(map(str, choices))}."]))
    return Field(parameter["name"], _kind(one), words, parameter.get("required", False))


def _fields(body: Schema, schema: Schema) -> Iterator[Field]:
    required = set(body.get("required", ()))
    for name, one in body.get("properties", {}).items():
        meant = _meant(one, schema)
        words = _plain(one.get("description") or meant.get("description", ""))
        if choices := meant.get("enum"):
            words = " ".join(filter(None, [words, f"One of {', '.join(map(str, choices))}."]))
        yield Field(name, "string" if choices else _kind(one), words, name in required)


def _meant(one: Schema, schema: Schema) -> Schema:
    """The schema behind a reference, even if more is said beside the reference."""
    (inner,) = one["allOf"] if len(one.get("allOf", ())) == 1 else (one,)
    return _resolved(inner, schema)


def _plain(words: str) -> str:
    """The words without Markdown's backticks."""
    return words.replace("`", "")


def _sample(described: Schema) -> str:
    example = _example(described.get("requestBody", {}))
    return "" if example is None else json.dumps(example).replace("'", "'\\''")


def _told(described: Schema, status: str) -> str:
    example = _example(described["responses"].get(status, {}))
    return "" if example is None else json.dumps(example, indent=2)


def _example(holder: Schema) -> Any:
    return holder.get("content", {}).get("application/json", {}).get("example")


def _json_schema(holder: Schema, schema: Schema) -> Schema:
    return _resolved(holder.get("content", {}).get("application/json", {}).get("schema", {}), schema)


def _resolved(one: Schema, schema: Schema) -> Schema:
    reference = one.get("$ref")
    found: Schema = schema["components"]["schemas"][reference.rsplit("/", 1)[1]] if reference else one
    return found


def _kind(one: Schema) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rsplit("/", 1)[1]
    if one.get("type") == "array":
        return f"list of {_kind(one.get('items', {}))}"
    if choices := one.get("oneOf") or one.get("anyOf"):
        return " or ".join(_kind(choice) for choice in choices)
    kind = one.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
