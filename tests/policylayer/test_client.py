"""The typed client against the control plane itself, and its shapes against the API's own schema."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from django.test import Client as Browser

from policies.services import issue_grant
from policylayer import client as module
from policylayer import shapes
from policylayer.client import Client, Refused, Unreachable
from tests.cast import POLICY, Acme, Cast, inside
from tests.policylayer.conftest import SCOPES, URL

COMPONENTS = {
    shapes.Me: "Me",
    shapes.Server: "Server",
    shapes.Scan: "Scan",
    shapes.Tool: "Tool",
    shapes.PolicySummary: "PolicySummary",
    shapes.Policy: "Policy",
    shapes.Revision: "RevisionWithRollout",
    shapes.Rollout: "Rollout",
    shapes.Publication: "Published",
    shapes.TestResult: "TestResult",
    shapes.Tests: "Tests",
    shapes.Change: "Change",
    shapes.Diff: "Diff",
    shapes.Grant: "Grant",
    shapes.Decision: "Decision",
    shapes.Approval: "Approval",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = Browser().get("/api/v1/schema/").json()
    return found


def fields_of(shape: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape)}


@pytest.mark.parametrize("shape", COMPONENTS, ids=lambda shape: shape.__name__)
def test_every_field_of_a_shape_is_one_the_schema_promises(
    shape: type[msgspec.Struct], schema: dict[str, Any]
) -> None:
    components = schema["components"]["schemas"]
    extra = {shapes.Grant: {"token"}, shapes.Tests: {"etag"}}
    assert fields_of(shape) <= set(components[COMPONENTS[shape]]["properties"]) | extra.get(shape, set())


def test_a_problem_is_what_a_body_and_what_a_policy_may_have_wrong(schema: dict[str, Any]) -> None:
    components = schema["components"]["schemas"]
    of_body = components["ProblemDocument"]["properties"]["errors"]["items"]["properties"]
    assert fields_of(shapes.Problem) == set(of_body) | set(components["Problem"]["properties"])


def test_every_request_of_the_client_is_an_operation_of_the_schema(schema: dict[str, Any]) -> None:
    source = inspect.getsource(module)
    asked = {("get", path) for path in re.findall(r'_(?:get|list)\(\s*f?"([^"]+)"', source)}
    asked |= {("post", path) for path in re.findall(r'_post\(\s*f?"([^"]+)"', source)}
    asked |= {(verb.lower(), path) for verb, path in re.findall(r'_send\(\s*"([A-Z]+)", f?"([^"]+)"', source)}
    known = {
        (method, re.sub(r"\{\w+\}", "{}", path).removeprefix("/api/v1/"))
        for path, methods in schema["paths"].items()
        for method in methods
    }
    assert len(asked) > 20
    assert {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in asked} <= known


def test_a_server_a_policy_and_a_grant_are_made_and_ended(client: Client) -> None:
    assert client.me().role == "owner"
    server = client.register_server("IAM", "https://mcp.example.com/mcp", {"X-Key": "s3cret"})
    assert (server.name, server.auth.kind) == ("IAM", "headers")
    assert [one.id for one in client.servers()] == [server.id]
    policy = client.create_policy(server.id, "agents", POLICY)
    assert policy.draft_problems == []
    published = client.publish(policy.id, "first", policy.version)
    assert published.revision.number == 1
    assert client.revision(published.revision.id).note == "first"
    grant = client.issue_grant(server.id, policy.id, "laptop")
    assert grant.token is not None and grant.token.startswith("plg_")
    assert [one.token for one in client.grants()] == [None]
    rotated = client.rotate_grant(grant.id, 60)
    assert rotated.token is not None and rotated.token != grant.token and rotated.hint != grant.hint
    assert client.revoke_grant(grant.id).state == "revoked"


def test_what_is_refused_says_why_and_where(client: Client, acme: Acme) -> None:
    broken = '{"version": "1", "default": "denyy"}'
    saved = client.save_policy(acme.policy.public_id, broken, 1)
    with pytest.raises(Refused) as refused:
        client.publish(saved.id)
    assert (refused.value.status, refused.value.kind) == (422, "invalid_policy")
    assert refused.value.errors[0].pointer == "/default" and refused.value.errors[0].line == 1
    with pytest.raises(Refused) as stale:
        client.save_policy(acme.policy.public_id, POLICY, 1)
    assert stale.value.kind == "stale"


def test_every_page_of_a_list_is_read(client: Client, cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        for number in range(60):
            issue_grant(cast.alice, acme.server, None, f"agent {number}")
    assert len({grant.id for grant in client.grants()}) == 61


class Faulty(httpx.BaseTransport):
    """Passes requests on, and fails as told: before they arrive, after they did, or by throttling."""

    def __init__(self, inner: httpx.BaseTransport, *faults: str) -> None:
        self.inner = inner
        self.faults = list(faults)
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        match self.faults.pop(0) if self.faults else "":
            case "before":
                raise httpx.ConnectError("refused")
            case "after":
                self.inner.handle_request(request)
                raise httpx.ReadError("reset")
            case "restarting":
                return httpx.Response(502, text="<html>nobody behind this proxy")
            case "throttled":
                return httpx.Response(429, headers={"Retry-After": "7"}, json={})
            case _:
                return self.inner.handle_request(request)


def test_a_request_whose_answer_was_lost_is_sent_again_and_has_one_effect(
    cast: Cast, api_key: Callable[..., str], transport: httpx.BaseTransport
) -> None:
    faulty, pauses = Faulty(transport, "restarting", "after", "throttled"), list[float]()
    key = api_key(cast.alice, *SCOPES)
    with Client(URL, key, transport=faulty, pause=pauses.append) as client:
        client.register_server("IAM", "https://mcp.example.com/mcp")
        assert len(list(client.servers())) == 1
    assert len(set(faulty.keys[:4])) == 1 and faulty.keys[0]
    assert pauses == [0.5, 1.0, 7.0]


def test_what_never_answers_or_is_something_else_is_said_so(
    cast: Cast, api_key: Callable[..., str], transport: httpx.BaseTransport
) -> None:
    key = api_key(cast.alice, *SCOPES)
    with (
        Client(URL, key, transport=Faulty(transport, *["before"] * 9), pause=lambda _: None) as client,
        pytest.raises(Unreachable, match="localhost does not answer"),
    ):
        client.me()
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with Client(URL, key, transport=page) as client, pytest.raises(Unreachable, match="not answer as Policy"):
        client.me()


def test_a_next_page_elsewhere_does_not_take_the_key_there() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        after = None if "cursor" in str(request.url) else "https://evil.example/api/v1/servers/?cursor=x"
        return httpx.Response(200, json={"results": [], "next": after, "previous": None})

    with Client(URL, "plk_x", transport=httpx.MockTransport(answer)) as client:
        assert list(client.servers()) == []
    assert asked == [f"{URL}/api/v1/servers/", f"{URL}/api/v1/servers/?cursor=x"]
