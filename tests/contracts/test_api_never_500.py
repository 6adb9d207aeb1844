"""No operation of the API's schema ever answers with 5xx, whatever a stranger might send.

It runs for thirty seconds, or as long as it takes to get past the first check, from a seed that is printed;
the same seed sends the same requests again:
POLICYLAYER_SEED=… pytest tests/contracts/test_api_never_500.py
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client, override_settings

from accounts.permissions import SCOPES
from policies.services import publish_policy
from servers import waiting
from tests.cast import Acme, Cast, inside

SECONDS = 30.0
REACHED = {200: 20, 400: 20, 201: 1}  # so many answers of each kind show that requests pass the first check
MOST = 20_000  # requests; one in 200 creates something, so a run that has not got there by now never will
METHODS = ("get", "post", "put", "patch", "delete")
OPEN = ("/api/v1/schema/", "/api/v1/catalog/")

NASTY_TEXTS = (
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "null",
        "0",
        "-1",
        "9" * 40,
        "NaN",
        "é",
        "💥" * 30,
        "\u202e\u200b",
        "\ufeff",
    ),
    *("'; DROP TABLE x; --", "<script>alert(1)</script>", "%s%n{0}", "../../etc/passwd", "a" * 3_000),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-23:59", "2030-02-30T00:00:00Z", "24:00"),
    *("http://[::1", "https://user:secret@host/", "http://\u2100.example/", "javascript:alert(1)"),
    *("cD0=", "cD0lMDA=", "cD1hYmM=", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cj0xJnA9", "=", "\ud7ff"),
    *('{"version": "1"}', "{", '{"version": "1", "default": "deny", "tools": {"*": {}}}'),
)
NASTY_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**400,
    [],
    {},
    [[]],
    [None],
    {"": None},
)
NASTY_BODIES = (
    *(b"", b"null", b"[]", b"{}", b'"x"', b"1", b"{", b"\xff", b"\x00", b'{"a": 1, "a": 2}', b"[" * 100_000),
    *(
        b'{"name": 1e999}',
        b'{"name": -0.0}',
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
    ),
    *(b'{"version": ' + b"9" * 5_000 + b"}", b'{"document": ' + b'{"a":' * 150 + b"1" + b"}" * 150 + b"}"),
    b'{"name": "' + b"a" * (2 * 1024 * 1024) + b'"}',
)


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    body: dict[str, Any] | None


class Maker:
    """Makes values for schemas: valid, nearly valid, and nothing of the kind."""

    def __init__(self, chance: random.Random, ids: dict[str, str], components: dict[str, Any]) -> None:
        self.chance = chance
        self.ids = ids
        self.components = components

    def text(self) -> str:
        chosen = self.chance.choice((*NASTY_TEXTS, *self.ids.values()))
        return chosen if self.chance.random() < 0.8 else chosen + self.chance.choice(NASTY_TEXTS)

    def anything(self, depth: int = 3) -> Any:
        kind = self.chance.randrange(5 if depth else 2)
        if kind == 0:
            return self.chance.choice(NASTY_VALUES)
        if kind <= 2:
            return self.text()
        if kind == 3:
            return [self.anything(depth - 1) for _ in range(self.chance.randrange(4))]
        return {self.text(): self.anything(depth - 1) for _ in range(self.chance.randrange(4))}

    def value(self, schema: dict[str, Any], depth: int = 4) -> Any:
        if "$ref" in schema:
            schema = self.components[schema["$ref"].rsplit("/", 1)[1]]
        if not depth or self.chance.random() < 0.2:
            return self.anything()
        for several in ("oneOf", "anyOf", "allOf"):
            if several in schema:
                return self.value(self.chance.choice(schema[several]), depth - 1)
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type", "any")
        match kind if isinstance(kind, str) else self.chance.choice(kind):
            case "object":
                return self._object(schema, depth)
            case "array":
                return [
                    self.value(schema.get("items", {}), depth - 1) for _ in range(self.chance.randrange(4))
                ]
            case "string":
                prefix = schema.get("pattern", "")[1:4]
                fitting = [own for own in self.ids.values() if prefix and own.startswith(prefix)]
                return self.chance.choice(fitting) if fitting else self.text()
            case "integer" | "number":
                return self.chance.choice((0, 1, -1, 3, 2**31, 2**63, 10**30, 1.5))
            case "boolean":
                return self.chance.random() < 0.5
            case _:
                return self.anything()

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {
            name: self.value(one, depth - 1)
            for name, one in schema.get("properties", {}).items()
            if name in schema.get("required", ()) or self.chance.random() < 0.7
        }
        if self.chance.random() < 0.1:
            made[self.text()] = self.anything()
        return made

    def body(self, operation: Operation) -> bytes:
        if operation.body is None or self.chance.random() < 0.15:
            return self.chance.choice(NASTY_BODIES)
        return json.dumps(self.value(operation.body), allow_nan=True).encode()

    def path(self, operation: Operation) -> str:
        filled = operation.path
        for one in operation.parameters:
            if one["in"] == "path":
                own = self.ids.get(one["name"], "x")
                chosen = own if self.chance.random() < 0.8 else self.text() or "x"
                filled = filled.replace("{" + one["name"] + "}", quote(chosen, safe=""))
        wanted = [one["name"] for one in operation.parameters if one["in"] == "query"]
        asked = [(name, self.text()) for name in (*wanted, "cursor", "limit", "class", "server", "x")]
        kept = [f"{quote(name)}={quote(value)}" for name, value in asked if self.chance.random() < 0.3]
        return f"{filled}?{'&'.join(kept)}" if kept else filled


@pytest.fixture
def ids(cast: Cast, acme: Acme) -> dict[str, str]:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    return {
        "server_id": acme.server.public_id,
        "policy_id": acme.policy.public_id,
        "grant_id": acme.grant.public_id,
        "revision_id": revision.public_id,
        "decision_id": "dec_" + "0" * 26,
    }


def operations(schema: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            method,
            path,
            tuple(described.get("parameters", ())),
            described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema"),
        )
        for path, methods in schema["paths"].items()
        for method, described in methods.items()
    ]


def seed() -> int:
    chosen = int(os.environ.get("POLICYLAYER_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"POLICYLAYER_SEED={chosen}")
    return chosen


def send(client: Client, method: str, path: str, body: bytes, **headers: str) -> Any:
    """Send a request in a savepoint that is rolled back, so that it does not affect the next one."""
    verb = getattr(client, method)
    with transaction.atomic():
        if method == "get":
            answer = verb(path, headers=headers)
        else:
            answer = verb(path, body, content_type="application/json", headers=headers)
        transaction.set_rollback(True)
    return answer


def reached(seen: Counter[int]) -> bool:
    return all(seen[status] >= least for status, least in REACHED.items())


@override_settings(API_REQUESTS_A_MINUTE=10**6, API_REQUESTS_A_MINUTE_UNKNOWN=10**6)
def test_no_request_made_from_the_schema_is_answered_5xx_or_without_a_key(
    cast: Cast, ids: dict[str, str], api_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    client = Client(raise_request_exception=False)
    schema = client.get("/api/v1/schema/").json()
    asked = operations(schema)
    assert len(asked) > 20
    chance = random.Random(seed())
    maker = Maker(chance, ids, schema["components"]["schemas"])
    key = {"Authorization": f"Bearer {api_key(cast.alice, *SCOPES)}"}
    seen: Counter[int] = Counter()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or (not reached(seen) and seen.total() < MOST):
        operation = chance.choice(asked)
        method = operation.method if chance.random() < 0.95 else chance.choice(METHODS)
        path, body = maker.path(operation), maker.body(operation)
        manners = {
            "If-Match": chance.choice(('"1"', "*", *NASTY_TEXTS)),
            "Idempotency-Key": chance.choice(("1", *NASTY_TEXTS)),
        }
        sent = {name: said for name, said in manners.items() if said.isprintable() and chance.random() < 0.7}
        answer = send(client, method, path, body, **key, **sent)
        assert answer.status_code < 500, (method, path, body[:2_000])
        seen[answer.status_code] += 1
        if answer.status_code >= 400 and not answer.streaming and method != "head":
            assert answer.headers["Content-Type"].startswith("application/problem+json"), (method, path)
        stranger = send(client, method, path, body)
        assert operation.path.startswith(OPEN) or stranger.status_code in {401, 403, 404, 405}, (method, path)
    print(dict(seen))
    assert reached(seen), f"requests should reach behind the first check, and were answered {dict(seen)}"


@pytest.mark.parametrize(
    "path",
    [
        "/tools/?class=%00",
        "/servers/?cursor=cD0lMDA%3D",
        "/servers/?cursor=cD1hYmM%3D",
        "/decisions/?cursor=cD1hYmM%3D",
        "/decisions/?cursor=cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ%3D%3D",
        "/tools/?cursor=bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5JnA9MQ%3D%3D",
        "/audit-events/?cursor=cD05OTk5LTEyLTMxVDIzOjU5OjU5LTIzOjU5",
        "/decisions/?limit=%00&tool=%00&outcome=%00",
    ],
)
def test_a_forged_cursor_or_filter_is_refused_and_named(
    path: str, cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    key = api_key(cast.alice, *SCOPES)
    answer = Client().get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
    (asked,) = {name for name in ("cursor", "class", "tool") if f"{name}=" in path}
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert asked in {error["parameter"] for error in answer.json()["errors"]}


def test_a_path_that_is_none_is_answered_as_the_api_answers(cast: Cast, api_key: Callable[..., str]) -> None:
    key = {"Authorization": f"Bearer {api_key(cast.alice)}"}
    for method in METHODS:
        for path in ("/nothing/", "/servers/a/b/c/", "/servers/%2F%2F/"):
            answer = getattr(Client(), method)(f"/api/v1{path}", headers=key)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Client().get("/api/v1/nothing/").status_code == 401
    assert Client().get("/api/v1/servers").status_code == 308


def test_arguments_with_a_fraction_are_judged_as_they_are_spelt(
    cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    rule = '{"conditions": [{"path": "args.n", "op": "lte", "value": 0.3}]}'
    document = f'{{"version": "1", "default": "deny", "tools": {{"a": {{"require": [{rule}]}}}}}}'
    outcomes = []
    for number in ("0.3", "0.30000000000000001"):
        body = f'{{"tool": "a", "arguments": {{"n": {number}}}, "document": {document}}}'
        answer = Client().post(
            f"/api/v1/policies/{acme.policy.public_id}/decide/",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {api_key(cast.alice)}"},
        )
        outcomes.append(answer.json()["outcome"])
    assert outcomes == ["allow", "deny"]


@pytest.mark.parametrize(
    "auth", [{}, {"headers": {"A": "b"}}, {"kind": None}, {"kind": "headers"}, 1, [], None]
)
def test_half_a_credential_changes_nothing(
    auth: object, cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    answer = Client().patch(
        f"/api/v1/servers/{acme.server.public_id}/",
        {"auth": auth},
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_key(cast.alice)}", "If-Match": "*"},
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith("/auth")


def test_a_body_larger_than_anybody_reads_is_refused(cast: Cast, api_key: Callable[..., str]) -> None:
    answer = Client().post(
        "/api/v1/servers/",
        b'{"name": "' + b"a" * (2 * 1024 * 1024) + b'"}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_key(cast.alice)}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_list_of_policies_judges_none_of_them(
    cast: Cast, acme: Acme, api_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(*_: object) -> None:
        raise AssertionError("a policy in a list was compiled")

    monkeypatch.setattr("policies.api.serializers.judge", judged)
    answer = Client().get("/api/v1/policies/", headers={"Authorization": f"Bearer {api_key(cast.alice)}"})
    (listed,) = answer.json()["results"]
    assert set(listed) == {"id", "server", "name", "published_revision", "version"}
