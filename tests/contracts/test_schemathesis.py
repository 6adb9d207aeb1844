"""Schemathesis tests the API by its own schema with keys of every role: no 500, no ignored authentication,
no answer that the schema does not describe, nothing accepted that it forbids.

A sample runs against the site in this process, from a seed that is printed; `make test-full` sends 20,000
requests to a whole product. POLICYLAYER_SEED=… sends the same again.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import Client, override_settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Membership
from accounts.permissions import SCOPES
from common.ids import public_id
from config.settings import base
from policies.services import publish_policy
from servers import waiting
from tests.approvals.calls import waiting as a_waiting_call
from tests.cast import Acme, Cast, confirm, inside, key_whatever_the_role
from tests.contracts.schemathesis import Outcome, closed, run
from tests.foreign import foreign_program
from tests.journeys.api import Api
from tests.journeys.product import running_product

FULL: Final = 20_000
SHARE: Final = 8  # an eighth of all operations, chosen by the seed
PLAIN: Final = ("--generation-allow-x00", "false")
MANY: Final = "1000000000"
READS: Final = [scope for scope in SCOPES if scope.endswith(":read")]


def seed() -> int:
    chosen = int(os.environ.get("POLICYLAYER_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"POLICYLAYER_SEED={chosen}")
    return chosen


@pytest.fixture
def keys(cast: Cast, api_key: Callable[..., str]) -> list[str]:
    """The owner's key more often than the others, which are mostly refused; a stranger's, and a bad one."""
    owner = [api_key(cast.alice, *SCOPES)] * 6
    others = [
        key_whatever_the_role(member, *SCOPES) for member in (cast.bob, cast.carol, cast.dave, cast.mallory)
    ]
    return [*owner, *others, api_key(cast.alice, *READS), api_key(cast.dave, "logs:read"), "plk_none"]


@pytest.fixture
def ids(cast: Cast, acme: Acme, api_key: Callable[..., str]) -> dict[str, str]:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    return {
        "server_id": acme.server.public_id,
        "policy_id": acme.policy.public_id,
        "grant_id": acme.grant.public_id,
        "revision_id": revision.public_id,
        "member_id": cast.carol.public_id,
        "approval_id": a_waiting_call(acme).public_id,
        "key_id": _first_key(cast.alice),
    }


def _first_key(member: Membership) -> str:
    from accounts.services import create_api_key

    with inside(member):
        key, _ = create_api_key(member, "looked at", ["logs:read"])
    return public_id("key", key.pk)


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
@override_settings(API_REQUESTS_A_MINUTE=int(MANY), API_REQUESTS_A_MINUTE_UNKNOWN=int(MANY))
def test_a_slice_of_what_the_schema_allows_and_forbids_is_answered_as_it_says(
    live_server: LiveServer,
    cast: Cast,
    keys: list[str],
    ids: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    confirm(cast.alice)
    chosen = seed()
    operations = [
        operation["operationId"]
        for methods in Client().get("/api/v1/schema/").json()["paths"].values()
        for operation in methods.values()
    ]
    some = random.Random(chosen).sample(operations, len(operations) // SHARE)
    flags = ["--phases", "coverage,fuzzing", "-n", "3", "--seed", str(chosen), *PLAIN]
    flags += [word for name in some for word in ("--include-operation-id", name)]
    outcome = run(live_server.url, tmp_path, keys, ids, flags)
    assert outcome.cases >= 60, outcome.output
    assert outcome.passed, outcome.output


@pytest.mark.slow
@pytest.mark.journey
@pytest.mark.timeout(3 * 3600)
def test_twenty_thousand_cases_are_answered_as_the_schema_says(tmp_path: Path) -> None:
    unbounded = {"API_REQUESTS_A_MINUTE": MANY, "API_REQUESTS_A_MINUTE_UNKNOWN": MANY}
    first, asked = seed(), 0
    with running_product(tmp_path, surroundings=unbounded) as product:
        phases = ["coverage,fuzzing,stateful", "fuzzing,stateful"]
        while asked < FULL:
            # A run leaves data that fills lists and uses up limits: each gets an organization of its own.
            made = product.bootstrap(f"alice{asked}@example.com", f"Acme {asked}")
            outcome = _asked_of(product.web, made["api_key"], tmp_path, phases[asked > 0], first + asked)
            asked += outcome.cases
            assert outcome.passed, outcome.output
            assert outcome.cases > 0, outcome.output
    print(f"{asked:,} cases")


def _asked_of(web: str, key: str, folder: Path, phases: str, chosen: int) -> Outcome:
    api = Api(web, key)
    flags = ["--phases", phases, "-n", "60", "--seed", str(chosen), *PLAIN]
    return run(web, folder, [key] * 9 + ["plk_none"], _things(api), flags)


def _things(api: Api) -> dict[str, str]:
    server = api.ask("POST", "/servers/", {"name": "Toy", "upstream_url": "http://127.0.0.1:9/mcp"})
    document = {"version": "1", "default": "deny", "tools": {"list_*": {}}}
    about = {"server": server["id"], "name": "agents", "document": document}
    policy = api.ask("POST", "/policies/", about)["id"]
    published = api.ask("POST", f"/policies/{policy}/publish/", {"note": "first"})
    grant = api.ask("POST", "/grants/", {"server": server["id"], "policy": policy, "label": "ci"})
    invited = api.ask("POST", "/invitations/", {"email": "erin@example.com", "role": "viewer"})
    return {
        "server_id": server["id"],
        "policy_id": policy,
        "revision_id": published["revision"]["id"],
        "grant_id": grant["id"],
        "invitation_id": invited["id"],
        "member_id": api.ask("GET", "/me/")["id"],
        "key_id": api.ask("GET", "/api-keys/")["results"][0]["id"],
    }


def test_the_schema_is_openapi_3_1_and_the_generator_had_no_doubts(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], db: None
) -> None:
    schema = client.get("/api/v1/schema/").json()
    assert capsys.readouterr().err == ""
    assert schema["openapi"] == base.SPECTACULAR_SETTINGS["OAS_VERSION"]
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    validator = foreign_program("schemathesis", "openapi-spec-validator")
    said = subprocess.run([validator, tmp_path / "schema.json"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_operation_says_what_it_answers_and_how_it_refuses(client: Client, db: None) -> None:
    schema: dict[str, Any] = client.get("/api/v1/schema/").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            at = f"{method} {path}"
            assert "429" in operation["responses"], at
            assert ("401" in operation["responses"]) == ("/catalog/" not in path), at
            for status, answer in operation["responses"].items():
                assert "content" in answer or status == "204", f"{at}: {status}"
                assert answer.get("content") != {"application/json": {"schema": {}}}, f"{at}: {status}"
    assert closed(schema)["components"]["schemas"]["Server"]["additionalProperties"] is False
