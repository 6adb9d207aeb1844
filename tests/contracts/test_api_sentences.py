"""Single sentences that we promise about the API, each checked for every operation it covers."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client, override_settings

from accounts.models import ApiKey
from accounts.permissions import SCOPES
from common.ids import parse_public_id
from tests.approvals.calls import waiting
from tests.cast import Acme, Cast, inside

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
METHODS: Final = ("get", "post", "put", "patch", "delete")
OPEN: Final = "/api/v1/catalog/"
# The names that automation reads, by the schema component that contains them.
NAMES: Final = {
    "Server": "id name upstream_url gateway_url status auth",
    "Scan": "status tools problems",
    "Tool": "name title class severity confidence evidence input_schema",
    "Policy": "id server name document draft_problems published_revision",
    "Published": "revision rollout",
    "RevisionWithRollout": "id number rollout",
    "Rollout": "state workers_total workers_applied behind",
    "IssuedGrant": "id token gateway_url",
    "Decision": "id at server grant tool outcome code rule reason revision upstream_status added_ms"
    " argument_names",
}


@pytest.fixture
def paths(client: Client, db: None) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/schema/").json()["paths"]
    return found


def filled(path: str) -> str:
    """The path with ids that name nothing: someone who may not ask does not learn that."""
    return path.format_map(_Anything())


class _Anything(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "x"


@override_settings(API_REQUESTS_A_MINUTE_UNKNOWN=10**6)
def test_without_a_good_key_every_operation_is_401_with_a_problem_that_says_what_to_do(
    paths: dict[str, Any],
) -> None:
    for path, operations in paths.items():
        for method in operations:
            for headers in ({}, {"Authorization": "Bearer plk_" + "0" * 33}, {"Authorization": "Basic eDp5"}):
                answer = getattr(Client(), method)(filled(path), headers=headers)
                if path.startswith(OPEN):
                    assert answer.status_code != 401, path
                    continue
                said = answer.json()
                assert answer.status_code == 401 and said["code"] == "unauthenticated", (method, path)
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
                assert "RateLimit" in answer.headers
                assert Client().get(said["type"].removeprefix("http://localhost:8000")).status_code == 200


def test_each_path_answers_the_methods_of_the_schema_and_names_them(
    paths: dict[str, Any], cast: Cast, signed_in: Callable[..., Client]
) -> None:
    alice = signed_in(cast.alice)
    for path, operations in paths.items():
        for method in {*METHODS, "options", "trace"} - operations.keys():
            answer = getattr(alice, method)(filled(path))
            assert answer.status_code == 405, (method, path)
            named = {one.lower() for one in answer.headers["Allow"].split(", ")}
            assert named - {"head"} == operations.keys(), path
            assert ("head" in named) == ("get" in operations)


def test_names_that_automation_relies_on_are_always_there(client: Client, db: None) -> None:
    schemas = client.get("/api/v1/schema/").json()["components"]["schemas"]
    for component, names in NAMES.items():
        found = schemas[component]
        assert set(names.split()) <= found["properties"].keys(), component
        assert set(names.split()) <= set(found["required"]), component


def test_the_id_of_a_server_is_the_uuid_of_its_gateway_url(
    cast: Cast, acme: Acme, signed_in: Callable[..., Client]
) -> None:
    server = signed_in(cast.bob).get(f"/api/v1/servers/{acme.server.public_id}/").json()
    assert parse_public_id("srv", server["id"]) == UUID(server["gateway_url"].rstrip("/").rsplit("/", 1)[1])


def test_policies_and_servers_are_read_with_their_version(
    cast: Cast, acme: Acme, signed_in: Callable[..., Client]
) -> None:
    alice = signed_in(cast.alice)
    for path in (f"servers/{acme.server.public_id}/", f"policies/{acme.policy.public_id}/"):
        first = alice.get(f"/api/v1/{path}").headers["ETag"]
        assert first.startswith('"') and alice.get(f"/api/v1/{path}").headers["ETag"] == first


def test_scopes_are_read_and_write_of_each_kind_and_reading_the_log() -> None:
    kinds = ["servers", "policies", "grants", "approvals", "members", "keys", "webhooks", "organization"]
    wanted = {f"{kind}:{verb}" for kind in kinds for verb in ("read", "write")} | {"logs:read"}
    assert set(SCOPES) == wanted and len(SCOPES) == len(wanted)


def test_a_key_is_base62_with_its_checksum_and_only_its_digest_is_stored(
    cast: Cast, api_key: Callable[..., str]
) -> None:
    token = api_key(cast.alice, "servers:read")
    body, check = token[4:-6], token[-6:]
    assert token.startswith("plk_") and set(token[4:]) <= set(_DIGITS)
    number = 0
    for digit in check:
        number = number * 62 + _DIGITS.index(digit)
    assert number in {zlib.crc32(one.encode()) for one in (body, f"plk_{body}")}
    with inside(cast.alice):
        key = ApiKey.objects.get(name="tests")
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_to_json(k)::text FROM accounts_apikey k WHERE id = %s", [key.pk])
            (stored,) = cursor.fetchone()
    assert key.key_hash == hashlib.sha256(token.encode()).hexdigest()
    assert body not in stored and token[9:] not in stored


def test_a_key_says_when_it_was_last_used(
    cast: Cast, api_key: Callable[..., str], signed_in: Callable[..., Client]
) -> None:
    token, alice = api_key(cast.alice, "servers:read"), signed_in(cast.alice)
    (before,) = alice.get("/api/v1/api-keys/").json()["results"]
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/servers/").status_code == 200
    (after,) = alice.get("/api/v1/api-keys/").json()["results"]
    assert before["last_used_at"] is None and after["last_used_at"] is not None
    assert after["hint"] == token[:8] and "token" not in after


def test_a_keys_approval_counts_as_its_makers(cast: Cast, acme: Acme, api_key: Callable[..., str]) -> None:
    """Also where that forbids it: nobody approves their own call, with a key or without."""
    call = waiting(acme)
    answers = {}
    for name in ("alice", "dave"):
        asker = Client(headers={"Authorization": f"Bearer {api_key(getattr(cast, name), 'approvals:write')}"})
        path = f"/api/v1/approvals/{call.public_id}/approve/"
        answers[name] = asker.post(path, {}, content_type="application/json")
    with inside(cast.alice):
        assert acme.grant.holder_id == cast.alice.pk
    assert answers["alice"].status_code == 403
    assert answers["dave"].status_code == 200
    assert answers["dave"].json()["answered_by"] == cast.dave.user.email


def test_what_is_sent_as_anything_but_json_is_refused(
    cast: Cast, acme: Acme, signed_in: Callable[..., Client]
) -> None:
    alice = signed_in(cast.alice)
    for kind, body in (
        ("text/plain", "{}"),
        ("application/x-www-form-urlencoded", "name=x"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("application/xml", "<a/>"),
    ):
        answer = alice.generic("POST", "/api/v1/servers/", body, content_type=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), kind
