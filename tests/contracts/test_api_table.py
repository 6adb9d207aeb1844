"""The table of paths and verbs that automation relies on, and what kind of id each path takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from django.test import Client

from accounts.models import Membership
from policies.services import publish_policy
from tests.cast import Acme, Cast, inside

TABLE: Final = {
    "/me/": "get",
    "/organization/": "get patch",
    "/members/": "get",
    "/members/{member_id}/": "get patch delete",
    "/invitations/": "get post",
    "/invitations/{invitation_id}/": "get delete",
    "/api-keys/": "get post",
    "/api-keys/{key_id}/": "get delete",
    "/servers/": "get post",
    "/servers/{server_id}/": "get patch delete",
    "/servers/{server_id}/scan/": "post",
    "/servers/{server_id}/tools/": "get",
    "/tools/": "get",
    "/policies/": "get post",
    "/policies/{policy_id}/": "get patch",
    "/policies/{policy_id}/lint/": "post",
    "/policies/{policy_id}/decide/": "post",
    "/policies/{policy_id}/effects/": "post",
    "/policies/{policy_id}/diff/": "post",
    "/policies/{policy_id}/publish/": "post",
    "/policies/{policy_id}/revisions/": "get",
    "/policies/{policy_id}/restore/": "post",
    "/policies/{policy_id}/tests/": "get put",
    "/policies/convert/": "post",
    "/grants/": "get post",
    "/grants/{grant_id}/": "get patch",
    "/grants/{grant_id}/rotate/": "post",
    "/grants/{grant_id}/revoke/": "post",
    "/decisions/": "get",
    "/decisions/stats/": "get",
    "/audit-events/": "get",
    "/approvals/": "get",
    "/approvals/{approval_id}/approve/": "post",
    "/approvals/{approval_id}/decline/": "post",
    "/workers/": "get",
    "/revisions/": "get",
    "/revisions/{revision_id}/": "get",
    "/webhooks/": "get post",
    "/webhooks/{webhook_id}/": "get patch delete",
    "/catalog/servers/": "get",
    "/catalog/tools/": "get",
    "/catalog/search/": "get",
    "/catalog/classify/": "post",
}
SECURITY: Final[list[dict[str, list[str]]]] = [{"apiKey": []}, {"session": []}]


@pytest.fixture
def alice(cast: Cast, signed_in: Callable[[Membership], Client]) -> Client:
    return signed_in(cast.alice)


def test_every_path_of_the_table_answers_its_verbs_and_names_who_may_ask(client: Client, db: None) -> None:
    paths = client.get("/api/v1/schema/").json()["paths"]
    for path, verbs in TABLE.items():
        assert set(verbs.split()) <= set(paths[f"/api/v1{path}"]), path
        for operation in paths[f"/api/v1{path}"].values():
            assert operation.get("security", None) == (None if "/catalog/" in path else SECURITY), path


def test_an_id_of_another_kind_names_nothing(alice: Client, acme: Acme, cast: Cast) -> None:
    """In a path it gives 404; in a body the error names the field and what would be accepted."""
    wrong = acme.server.public_id.replace("srv_", "pol_")
    for path in ("/servers/", "/grants/", "/revisions/", "/decisions/", "/approvals/", "/webhooks/"):
        assert alice.get(f"/api/v1{path}{wrong}/").status_code == 404, path
    assert alice.get(f"/api/v1/policies/{acme.server.public_id}/").status_code == 404
    for path, field in (("/policies/", "server"), ("/grants/", "server"), ("/grants/", "policy")):
        for bad in ("", "srv_", "srv_" + "u" * 26, cast.alice.public_id, str(acme.server.pk), 1, ["x"]):
            answer = alice.post(f"/api/v1{path}", json.dumps({field: bad}), content_type="application/json")
            said = {error["pointer"]: error["message"] for error in answer.json()["errors"]}
            assert answer.status_code == 400 and "not an id of the kind" in said[f"/{field}"], (
                path,
                field,
                bad,
            )


def test_a_revision_of_another_policy_is_not_restored(alice: Client, acme: Acme, cast: Cast) -> None:
    from policies.services import create_policy

    with inside(cast.alice):
        other = publish_policy(cast.alice, create_policy(cast.alice, acme.server, "other", acme.policy.draft))
        mine = publish_policy(cast.alice, acme.policy)

    def restore(revision: Any) -> Any:
        path = f"/api/v1/policies/{acme.policy.public_id}/restore/"
        return alice.post(path, json.dumps({"revision": revision}), content_type="application/json")

    assert restore(other.public_id).status_code == 404
    assert restore(None).json()["errors"][0]["pointer"] == "/revision"
    assert restore(mine.public_id).json()["revision"]["number"] == 2
