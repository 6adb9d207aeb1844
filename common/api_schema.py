"""What every operation of the schema has in common: headers it takes, problems it may answer with."""

from __future__ import annotations

from typing import Any, Final

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
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                },
            },
        },
    },
}
# Whose changes need the version that is changed.
_VERSIONED: Final = ("/servers/{server_id}/", "/policies/{policy_id}/")


def complete(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """A postprocessing hook of drf-spectacular."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            _add_headers(path, method, operation)
            operation["responses"].setdefault(
                "default",
                {
                    "description": "A problem: see its `type`.",
                    "content": {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                },
            )
    return result


def _add_headers(path: str, method: str, operation: Schema) -> None:
    parameters = operation.setdefault("parameters", [])
    if method == "post":
        parameters.append(IDEMPOTENCY_KEY)
    if method in {"patch", "delete"} and path.endswith(_VERSIONED):
        parameters.append({**IF_MATCH, "required": True})
    if path.endswith("/publish/"):
        parameters.append(IF_MATCH)
