"""Every service, called by every role and by keys: what is refused is refused before anything changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Invitation, Membership, Organization, Role
from accounts.permissions import SCOPES
from accounts.services import create_api_key, rename_organization, revoke_api_key
from accounts.services.invitations import invite, resend, withdraw
from accounts.services.members import change_role, remove_member
from common.errors import NotAllowed
from gateway_config.models import ConfigRevision
from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from policies.models import Grant, Policy, PolicyRevision
from policies.services import (
    create_policy,
    issue_grant,
    move_grant,
    publish_policy,
    restore_revision,
    revoke_grant,
    rotate_grant,
    save_draft,
)
from servers.models import Server, ToolScan
from servers.services import change_server, register_server, retire_server, start_scan
from tests.cast import POLICY, Acme, Cast, confirm, inside, person
from tests.roles import as_worker, become

Verb = Callable[[Membership, Acme], Any]
MANAGER, ADMIN, OWNER = {"alice", "dave", "carol"}, {"alice", "dave"}, {"alice"}


def _named(name: str) -> Membership:
    return Membership.objects.get(user__email=f"{name}@example.com")


def _revision(by: Membership, acme: Acme) -> PolicyRevision:
    return PolicyRevision.objects.filter(policy=acme.policy).latest("number")


VERBS: dict[str, tuple[set[str], str, Verb]] = {
    "register": (ADMIN, "servers:write", lambda by, acme: register_server(by, "New", "https://x.example/")),
    "change": (ADMIN, "servers:write", lambda by, acme: change_server(by, acme.server, name="Other")),
    "retire": (ADMIN, "servers:write", lambda by, acme: retire_server(by, acme.server)),
    "scan": (ADMIN, "servers:write", lambda by, acme: start_scan(by, acme.server)),
    "draft": (MANAGER, "policies:write", lambda by, acme: create_policy(by, acme.server, "new")),
    "save": (MANAGER, "policies:write", lambda by, acme: save_draft(by, acme.policy, "{}")),
    "publish": (MANAGER, "policies:write", lambda by, acme: publish_policy(by, acme.policy)),
    "restore": (MANAGER, "policies:write", lambda by, acme: restore_revision(by, _revision(by, acme))),
    "issue": (ADMIN, "grants:write", lambda by, acme: issue_grant(by, acme.server, None, "new")),
    "move": (MANAGER, "grants:write", lambda by, acme: move_grant(by, acme.grant, None)),
    "rotate": (ADMIN, "grants:write", lambda by, acme: rotate_grant(by, acme.grant)),
    "revoke": (ADMIN, "grants:write", lambda by, acme: revoke_grant(by, acme.grant)),
    "invite": (ADMIN, "members:write", lambda by, acme: invite(by, "new@example.com", "viewer")),
    "resend": (ADMIN, "members:write", lambda by, acme: resend(by, Invitation.objects.get())),
    "withdraw": (ADMIN, "members:write", lambda by, acme: withdraw(by, Invitation.objects.get())),
    "promote": (ADMIN, "members:write", lambda by, acme: change_role(by, _named("bob"), "admin")),
    "remove": (ADMIN, "members:write", lambda by, acme: remove_member(by, _named("erin"))),
    "make an owner": (OWNER, "members:write", lambda by, acme: change_role(by, _named("erin"), "owner")),
    "invite an owner": (OWNER, "members:write", lambda by, acme: invite(by, "new@example.com", "owner")),
    "end an owner": (OWNER, "members:write", lambda by, acme: remove_member(by, _named("olga"))),
    "rename": (OWNER, "organization:write", lambda by, acme: rename_organization(by, "Other")),
    "make a key": (ADMIN, "", lambda by, acme: create_api_key(by, "new", ["logs:read"])),
    "end a key": (ADMIN, "keys:write", lambda by, acme: revoke_api_key(by, ApiKey.objects.get(name="old"))),
}


@pytest.fixture
def old(cast: Cast, acme: Acme) -> Acme:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        create_api_key(cast.alice, "old", ["logs:read"])
        for name, role in (("erin", Role.VIEWER), ("olga", Role.OWNER)):
            Membership.objects.create(organization=cast.alice.organization, user=person(name), role=role)
        confirm(cast.alice)
        sent = invite(cast.alice, "open@example.com", "viewer")
        Invitation.objects.filter(pk=sent.pk).update(sent_at=sent.sent_at - timedelta(minutes=2))
    confirm(cast.dave)
    return acme


def _all(cast: Cast) -> str:
    with inside(cast.alice):
        tables: list[Any] = [
            Organization,
            Membership,
            Invitation,
            Server,
            Policy,
            PolicyRevision,
            Grant,
            ApiKey,
            ToolScan,
            AuditEvent,
        ]
        return str([list(table.objects.order_by("pk").values()) for table in tables])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["alice", "dave", "carol", "bob"])
def test_a_role_does_what_it_may_and_nothing_else(verb: str, name: str, cast: Cast, old: Acme) -> None:
    allowed, _, do = VERBS[verb]
    by: Membership = getattr(cast, name)
    before = _all(cast)
    if name in allowed:
        with inside(by):
            do(by, old)
        assert _all(cast) != before
    else:
        with inside(by), pytest.raises(NotAllowed, match="role"):
            do(by, old)
        assert _all(cast) == before


@pytest.mark.parametrize("verb", VERBS)
def test_an_owners_key_with_every_scope_but_the_one_is_refused(verb: str, cast: Cast, old: Acme) -> None:
    _, scope, do = VERBS[verb]
    with inside(cast.alice):
        key, _ = create_api_key(cast.alice, "ci", [one for one in SCOPES if one != scope])
    before = _all(cast)
    with inside(cast.alice):
        cast.alice.acting_key = key
        with pytest.raises(NotAllowed, match=f"needs the scope {scope}" if scope else "no API key can"):
            do(cast.alice, old)
    assert _all(cast) == before


# ---- ids of another organization, and of another server, in bodies and filters
@pytest.fixture
def ask(cast: Cast, api_key: Callable[..., str]) -> Callable[..., tuple[int, Any]]:
    """Mallory, with every scope in her own organization."""
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.mallory, *SCOPES)}"})

    def say(method: str, path: str, body: object = None) -> tuple[int, Any]:
        sent = {} if method == "get" else {"data": json.dumps(body), "content_type": "application/json"}
        answer = getattr(client, method)(f"/api/v1{path}", **sent)
        return answer.status_code, answer.json()

    return say


def test_ids_of_another_organization_in_a_body_name_nothing(
    ask: Callable[..., tuple[int, Any]], cast: Cast, old: Acme
) -> None:
    before = _all(cast)
    _, mine = ask("post", "/servers/", {"name": "M", "upstream_url": "https://m.example/"})
    _, own = ask("post", "/grants/", {"server": mine["id"], "label": "m"})
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("post", "/policies/", {"server": old.server.public_id, "name": "m", "document": POLICY}),
        ("post", "/grants/", {"server": old.server.public_id, "label": "m"}),
        ("post", "/grants/", {"server": mine["id"], "policy": old.policy.public_id, "label": "m"}),
        ("patch", f"/grants/{own['id']}/", {"policy": old.policy.public_id}),
        ("post", "/grants/", {"server": mine["id"], "label": "m", "holder": cast.alice.public_id}),
    ]
    for method, path, body in bodies:
        status, problem = ask(method, path, body)
        assert (status, problem["code"]) == (404, "not_found"), (path, body)
    for path in (
        f"/tools/?server={old.server.public_id}",
        f"/decisions/?server={old.server.public_id}",
        f"/decisions/?grant={old.grant.public_id}",
    ):
        assert ask("get", path)[1]["results"] == []
    assert _all(cast) == before


def test_fields_that_are_no_ones_to_set_are_refused_by_name(
    ask: Callable[..., tuple[int, Any]], cast: Cast, acme: Acme
) -> None:
    forged = {
        "organization": str(cast.alice.organization_id),
        "organization_id": str(cast.alice.organization_id),
    }
    forged |= {"id": acme.server.public_id, "status": "ready", "created_by": str(cast.alice.pk)}
    status, problem = ask("post", "/servers/", {"name": "M", "upstream_url": "https://m.example/", **forged})
    assert status == 400
    assert {error["pointer"] for error in problem["errors"]} == {f"/{name}" for name in forged}
    with inside(cast.mallory):
        assert not Server.objects.exists()


def test_a_policy_of_another_server_is_put_on_no_grant(
    cast: Cast, acme: Acme, signed_in: Callable[[Membership], Client]
) -> None:
    with inside(cast.alice):
        other = register_server(cast.alice, "Other", "https://o.example/")
        foreign = create_policy(cast.alice, other, "theirs")
    browser = signed_in(cast.alice)
    moved = browser.post(f"/grants/{acme.grant.public_id}/move/", {"policy": str(foreign.pk)})
    page = browser.get(f"/grants/issue/?server={acme.server.public_id}&policy={foreign.pk}")
    assert (moved.status_code, page.status_code) == (422, 200)
    assert f'value="{foreign.pk}"' not in page.content.decode()
    with inside(cast.alice):
        acme.grant.refresh_from_db()
        assert acme.grant.policy_id == acme.policy.pk


# ---- at once
@pytest.mark.django_db(transaction=True)
def test_publishing_at_once_gives_each_its_number_and_leaves_one_configuration_in_force(
    cast: Cast, acme: Acme
) -> None:
    wrong: list[BaseException] = []

    def run(role: str | None, do: Callable[[], object]) -> None:
        try:
            if role is not None:
                become(role)
            do()
        except BaseException as problem:
            wrong.append(problem)
        finally:
            connection.close()

    def publish() -> None:
        with inside(cast.alice):
            publish_policy(cast.alice, acme.policy)

    def carry() -> None:
        deliver(cast.alice.organization_id, signing_key())

    threads = [threading.Thread(target=run, args=(None, publish)) for _ in range(6)]
    threads += [threading.Thread(target=run, args=("policylayer_worker", carry)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with as_worker():
        deliver(cast.alice.organization_id, signing_key())
    with inside(cast.alice):
        numbers = sorted(PolicyRevision.objects.values_list("number", flat=True))
        acme.policy.refresh_from_db()
        configurations = list(ConfigRevision.objects.order_by("pk"))
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert [one.number for one in configurations] == list(range(1, len(configurations) + 1))
    assert acme.policy.published_revision_id in configurations[-1].policy_revisions
