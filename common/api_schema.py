"""What all operations in the schema share: the headers they take, ids, problems they may answer with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from common.api_filters import id_schema
from common.api_problems import PROBLEMS, problem_type
from common.drf import PROBLEM_JSON

Schema = dict[str, Any]

IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "The same request sent again with this key, within 24 hours, has no second effect.",
}
IF_MATCH: Final[Schema] = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETag of the version that is changed, or *.",
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "required": ["type", "code", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "A page that says more."},
        "code": {"type": "string", "enum": sorted(PROBLEMS), "description": "The last word of `type`."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where in the body: a JSON pointer."},
                    "parameter": {"type": "string", "description": "Which parameter of the URL."},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                },
            },
        },
    },
}
_IDS: Final = {
    "server_id": "srv",
    "policy_id": "pol",
    "revision_id": "rev",
    "grant_id": "grt",
    "decision_id": "dec",
    "approval_id": "apr",
    "member_id": "mem",
    "key_id": "key",
    "invitation_id": "inv",
    "webhook_id": "whk",
    "delivery_id": "msg",
}
# Real answers of the API; see tests/contracts/examples.py.
EXAMPLES: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("api_examples.json").read_text())
# A change to one of these must name the version that is changed.
VERSIONED: Final = ("/servers/{server_id}/", "/policies/{policy_id}/", "/policies/{policy_id}/tests/")
_MAY_NAME_A_VERSION: Final = ("/publish/", "/restore/")
_OPEN: Final = ("/api/v1/catalog/", "/api/v1/schema/")


def complete(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """A postprocessing hook of drf-spectacular."""
    schemas = result["components"].setdefault("schemas", {})
    schemas["ProblemDocument"] = _PROBLEM
    for name in _sent_by(result):
        _make_strict(schemas[name])
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            _add_headers(path, method, operation)
            _name_ids(operation)
            _exemplify(path, method, operation)
            for status in _refusals(path, method, operation):
                operation["responses"].setdefault(status, _refusal(int(status)))
    return result


def _exemplify(path: str, method: str, operation: Schema) -> None:
    example = EXAMPLES.get(f"{method.upper()} {path.removeprefix('/api/v1')}")
    if example is None:
        return
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = example["request"]
    for content in operation["responses"].get(str(example["status"]), {}).get("content", {}).values():
        content["example"] = example["response"]


def needs_version(method: str, path: str) -> bool:
    return method in {"put", "patch", "delete"} and path.endswith(VERSIONED)


def _add_headers(path: str, method: str, operation: Schema) -> None:
    parameters = operation.setdefault("parameters", [])
    if method == "post" and not path.startswith(_OPEN):
        parameters.append(IDEMPOTENCY_KEY)
    if needs_version(method, path):
        parameters.append({**IF_MATCH, "required": True})
    if path.endswith(_MAY_NAME_A_VERSION):
        parameters.append(IF_MATCH)


def _name_ids(operation: Schema) -> None:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path" and parameter["name"] in _IDS:
            parameter["schema"] = id_schema(_IDS[parameter["name"]])


def _refusals(path: str, method: str, operation: Schema) -> Iterator[str]:
    """The statuses with which such a request may be refused."""
    names = {parameter["name"] for parameter in operation["parameters"]}
    places = {parameter["in"] for parameter in operation["parameters"]}
    has_body = "requestBody" in operation
    if has_body or "query" in places or "Idempotency-Key" in names:
        yield "400"
    if not path.startswith(_OPEN):
        yield from ("401", "403")
    if "path" in places or has_body:
        yield "404"
    yield "406"
    if method != "get" and not path.startswith(_OPEN):
        yield "409"
    if "If-Match" in names:
        yield "412"
        yield "428"
    if method in {"post", "put", "patch"}:
        yield from ("413", "415", "422")
    yield "429"


def _refusal(status: int) -> Schema:
    kinds = [kind for kind, known in PROBLEMS.items() if known.status == status]
    words = " ".join(f"`{kind}`: {PROBLEMS[kind].title}" for kind in kinds)
    title = PROBLEMS[kinds[0]].title
    example = {
        "type": problem_type(kinds[0]),
        "code": kinds[0],
        "title": title,
        "status": status,
        "detail": title,
    }
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": words, "content": {PROBLEM_JSON: {"schema": schema, "example": example}}}


# ---- what is sent
def _sent_by(result: Schema) -> set[str]:
    """Names of the components that requests are made of."""
    found: set[str] = set()
    bodies = [
        operation["requestBody"]
        for methods in result["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    waiting = [name for body in bodies for name in _named_in(body)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named_in(result["components"]["schemas"][name])
    return found


def _named_in(part: Any) -> list[str]:
    if isinstance(part, dict):
        named = [str(part["$ref"]).rsplit("/", 1)[1]] if "$ref" in part else []
        return named + [name for value in part.values() for name in _named_in(value)]
    return [name for value in part for name in _named_in(value)] if isinstance(part, list) else []


def _make_strict(component: Schema) -> None:
    """Unknown fields are refused, and text is trimmed before we check that it is not empty."""
    if "properties" not in component:
        return
    component["additionalProperties"] = False
    for one in component["properties"].values():
        plain = one.get("type") == "string" and not {"pattern", "enum", "format"} & one.keys()
        if plain and one.get("minLength"):
            one["pattern"] = r"\S"
