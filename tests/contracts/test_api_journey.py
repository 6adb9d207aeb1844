"""A newcomer's steps 3 to 7 over the REST API, with an API key: every verb and name automation relies on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import Membership
from common.api_problems import PROBLEMS, problem_type
from gateway_config.models import PublishRequest
from policies.models import Grant
from tests.cast import POLICY, Acme, Cast, inside

Call = Callable[..., Any]


@pytest.fixture
def call(client: Client, cast: Cast, api_key: Callable[..., str]) -> Call:
    """`call(method, path, body)` with Alice's key -> (status, JSON)."""
    token = api_key(cast.alice)

    def ask(method: str, path: str, body: Any = None, *, key: str = token) -> tuple[int, Any]:
        answer = getattr(client, method)(
            f"/api/v1{path}",
            **({} if method == "get" else {"data": _text(body), "content_type": "application/json"}),
            headers={"Authorization": f"Bearer {key}", "If-Match": "*"},
        )
        return answer.status_code, answer.json() if answer.content else None

    return ask


def test_a_server_is_registered_read_changed_and_retired(call: Call) -> None:
    status, server = call("post", "/servers/", {"name": "IAM", "upstream_url": "https://mcp.example.com/mcp"})
    assert status == 201
    assert set(server) >= {"id", "name", "upstream_url", "gateway_url", "status", "auth"}
    assert server["gateway_url"].startswith("http://127.0.0.1:8100/mcp/")
    assert call("get", f"/servers/{server['id']}/")[1]["auth"] == {"kind": "none"}
    status, changed = call(
        "patch",
        f"/servers/{server['id']}/",
        {"auth": {"kind": "headers", "headers": {"Authorization": "Bearer s3cret"}}},
    )
    assert (status, changed["auth"]) == (200, {"kind": "headers"})
    assert "s3cret" not in json.dumps(changed)
    assert call("delete", f"/servers/{server['id']}/")[0] == 204
    assert call("get", "/servers/")[1]["results"] == []


def test_what_is_wrong_with_a_server_is_said_field_by_field(call: Call) -> None:
    status, problem = call("post", "/servers/", {"name": "", "upstream_url": "ftp://x"})
    assert status == 400
    assert problem["code"] == "invalid_input"
    assert [error["pointer"] for error in problem["errors"]] == ["/name"]
    status, problem = call("post", "/servers/", {"name": "x", "upstream_url": "https://u:p@host/"})
    assert [error["pointer"] for error in problem["errors"]] == ["/upstream_url"]
    assert "u:p" not in json.dumps(problem)


def test_a_policy_is_drafted_judged_published_and_restored(call: Call, acme: Acme) -> None:
    server = acme.server.public_id
    status, policy = call(
        "post", "/policies/", {"server": server, "name": "ci", "document": json.loads(POLICY)}
    )
    assert (status, policy["draft_problems"], policy["published_revision"]) == (201, [], None)
    path = f"/policies/{policy['id']}"
    assert call("post", f"{path}/effects/")[1]["effects"] == {
        "create_access_key": "limited",
        "delete_user": "denied",
        "list_users": "denied",
    }
    status, decision = call("post", f"{path}/decide/", {"tool": "delete_user", "arguments": {}})
    assert (decision["outcome"], decision["code"], decision["rule"]) == (
        "deny",
        "default_deny",
        "(default deny)",
    )
    status, published = call("post", f"{path}/publish/", {"note": "first"})
    assert (status, published["revision"]["number"]) == (200, 1)
    revision = published["revision"]["id"]
    assert call("get", f"/revisions/{revision}/")[1]["rollout"]["state"] == "pending"
    assert call("post", f"/revisions/{revision}/restore/")[1]["revision"]["number"] == 2


def test_a_policy_with_problems_is_kept_as_typed_and_not_published(
    call: Call, acme: Acme, cast: Cast
) -> None:
    text = '{"version": "1", "default": "denyy", "tols": {}}'
    _, policy = call("post", "/policies/", {"server": acme.server.public_id, "name": "bad", "document": text})
    assert policy["document"] == text
    assert {problem["code"] for problem in policy["draft_problems"]} == {"bad_value", "unknown_key"}
    status, problem = call("post", f"/policies/{policy['id']}/publish/")
    assert (status, problem["code"]) == (422, "invalid_policy")
    assert {"pointer", "code", "message", "line", "column"} <= set(problem["errors"][0])
    assert call("get", f"/policies/{policy['id']}/")[1]["document"] == text


def test_numbers_of_a_posted_document_keep_their_spelling(call: Call, acme: Acme) -> None:
    rule = '{"conditions": [{"path": "args.n", "op": "lte", "value": 10.50}]}'
    document = f'{{"version": "1", "default": "deny", "tools": {{"a": {{"require": [{rule}]}}}}}}'
    body = f'{{"server": "{acme.server.public_id}", "name": "n", "document": {document}}}'
    _, policy = call("post", "/policies/", _Raw(body))
    assert "10.50" in policy["document"]


class _Raw(str):
    """JSON that is sent as it is: json.dumps would change how numbers are spelt."""


def _text(body: Any) -> str:
    return body if isinstance(body, _Raw) else json.dumps(body or {})


def test_a_grant_shows_its_token_once_and_is_revoked(call: Call, acme: Acme, cast: Cast) -> None:
    body = {"server": acme.server.public_id, "policy": acme.policy.public_id, "label": "ci"}
    status, grant = call("post", "/grants/", body)
    assert status == 201
    assert grant["token"].startswith("plg_")
    assert "token" not in call("get", f"/grants/{grant['id']}/")[1]
    with inside(cast.alice):
        before = PublishRequest.objects.count()
        assert not Grant.objects.filter(token_hash=grant["token"]).exists()
    assert call("post", f"/grants/{grant['id']}/revoke/")[1]["state"] == "revoked"
    with inside(cast.alice):
        assert PublishRequest.objects.count() == before + 1


def test_a_key_without_the_scope_may_not(call: Call, cast: Cast, api_key: Callable[..., str]) -> None:
    reader = api_key(cast.alice, "servers:read")
    status, problem = call(
        "post", "/servers/", {"name": "x", "upstream_url": "https://x.example/"}, key=reader
    )
    assert (status, problem["code"]) == (403, "not_allowed")
    assert "servers:write" in problem["detail"]
    assert call("get", "/decisions/", key=reader)[0] == 403
    assert call("get", "/servers/", key=reader)[0] == 200


def test_the_query_of_a_url_is_told_to_whoever_may_change_it_and_to_nobody_else(
    call: Call, cast: Cast, api_key: Callable[..., str]
) -> None:
    url = "https://mcp.example.com/mcp?key=canary-of-a-query"
    status, made = call("post", "/servers/", {"name": "x", "upstream_url": url})
    assert (status, made["upstream_url"]) == (201, url)
    readers = (api_key(cast.alice, "servers:read"), api_key(cast.dave))
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.dave.pk).update(role="policy_manager")
    for path in ("/servers/", f"/servers/{made['id']}/"):
        assert url in json.dumps(call("get", path)[1])
        for reader in readers:
            status, told = call("get", path, key=reader)
            assert status == 200
            assert "canary-of-a-query" not in json.dumps(told)
            assert "https://mcp.example.com/mcp?" in json.dumps(told)


def test_a_key_does_no_more_than_its_makers_role(call: Call, cast: Cast, api_key: Callable[..., str]) -> None:
    key = api_key(cast.dave)
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.dave.pk).update(role="viewer")
    assert call("post", "/servers/", {"name": "x", "upstream_url": "https://x.example/"}, key=key)[0] == 403
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.dave.pk).delete()
    assert call("get", "/servers/", key=key)[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": 1, "name": 2}',
        b"[1]",
        b'{"name": NaN}',
        b"\xff\xfe",
        b'"x"',
        b"null",
        b"[" * 5000,
    ],
)
def test_a_malformed_body_is_a_problem_never_a_500(
    body: bytes, client: Client, cast: Cast, api_key: Callable[..., str]
) -> None:
    answer = client.post(
        "/api/v1/servers/",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_key(cast.alice)}"},
    )
    assert answer.status_code == 400
    assert answer.json()["type"].startswith("http://localhost:8000/api/docs/problems/")


def test_the_schema_lists_every_path(client: Client) -> None:
    schema = client.get("/api/v1/schema/").json()
    assert schema["openapi"].startswith("3.1")
    assert {"/api/v1/servers/", "/api/v1/policies/{policy_id}/publish/", "/api/v1/decisions/"} <= set(
        schema["paths"]
    )


def test_the_reference_page_names_every_operation_and_problem(client: Client) -> None:
    schema = client.get("/api/v1/schema/").json()
    page = client.get("/api/docs/").content.decode()
    assert [path for path in schema["paths"] if path not in page] == []
    for kind in PROBLEMS:
        address = urlsplit(problem_type(kind)).path
        assert f'href="{address}"' in page
        assert PROBLEMS[kind].title in client.get(address).content.decode()
    assert client.get("/api/docs/problems/none/").status_code == 404
