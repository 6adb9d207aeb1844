"""Somebody's role ends while what they asked for waits its turn: it is not done any more."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from accounts.models import ApiKey, Membership, Organization, Role
from accounts.services import create_api_key, rename_organization, revoke_api_key
from accounts.services.closing import delete_organization
from accounts.services.invitations import invite
from accounts.services.members import change_role
from accounts.services.settings import change_security
from approvals.changes import lock
from approvals.models import Approval, Webhook
from approvals.notices import remind
from approvals.services import approve, decline, set_approval_rules
from approvals.webhooks import add_webhook, remove_webhook
from common.errors import NotAllowed
from policies.kept_tests import replace_tests
from policies.models import Grant, Policy
from policies.services import (
    create_policy,
    issue_grant,
    move_grant,
    publish_policy,
    revoke_grant,
    rotate_grant,
    save_draft,
)
from servers.models import Server
from servers.services import change_server, register_server, retire_server, start_scan, stop_scan
from tests.approvals.calls import fresh, waiting
from tests.cast import Acme, Cast, confirm, inside, person
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)


def demoted_meanwhile(
    cast: Cast, who: Membership, act: Callable[[Membership], object], held: Callable[[], object]
) -> bool:
    """Whether the act, begun before and done after, was refused."""
    refused: list[str] = []

    def go() -> None:
        try:
            with inside(who):
                act(who)
        except NotAllowed as sentence:
            refused.append(sentence.message)
        finally:
            connection.close()

    with transaction.atomic(), inside(cast.alice):
        held()
        change_role(cast.alice, Membership.objects.get(pk=who.pk), Role.VIEWER)
        thread = threading.Thread(target=go)
        thread.start()
        until(somebody_waits_for_us)
    thread.join()
    return bool(refused)


ACTS: dict[str, Callable[[Membership], object]] = {
    "delete": lambda by: delete_organization(by, "Acme"),
    "invite": lambda by: invite(by, "erin@example.com", Role.OWNER),
    "rename": lambda by: rename_organization(by, "Taken over"),
    "rules": lambda by: set_approval_rules(by, seconds=60, self_approval=True),
    "security": lambda by: change_security(by, explain_denials=True),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_owner(cast: Cast, act: str) -> None:
    with inside(cast.alice):
        olga = Membership.objects.create(
            organization=cast.alice.organization, user=person("olga"), role=Role.OWNER
        )
        confirm(olga)
        before = Organization.objects.values().get()
    assert demoted_meanwhile(cast, olga, ACTS[act], lambda: None)
    with inside(cast.alice):
        assert Organization.objects.values().get() == before


def the_grant(of: Acme) -> object:
    return Grant.objects.select_for_update().get(pk=of.grant.pk)


def the_policy(of: Acme) -> object:
    return Policy.objects.select_for_update().get(pk=of.policy.pk)


def the_server(of: Acme) -> object:
    return Server.objects.select_for_update().get(pk=of.server.pk)


def the_organization(of: Acme) -> object:
    """Whoever changes a role holds it."""


VERBS: dict[str, tuple[Callable[[Acme], object], Callable[[Membership, Acme], object]]] = {
    "change a server": (the_server, lambda by, of: change_server(by, of.server, name="Mine")),
    "retire a server": (the_server, lambda by, of: retire_server(by, of.server)),
    "stop a scan": (the_server, lambda by, of: stop_scan(by, of.server)),
    "register a server": (
        the_organization,
        lambda by, _: register_server(by, "Mine", "https://x.example/mcp"),
    ),
    "scan a server": (the_organization, lambda by, of: start_scan(by, of.server)),
    "make a policy": (the_organization, lambda by, of: create_policy(by, of.server, "mine")),
    "save a draft": (the_policy, lambda by, of: save_draft(by, of.policy, "{}")),
    "publish": (the_policy, lambda by, of: publish_policy(by, of.policy)),
    "keep tests": (the_policy, lambda by, of: replace_tests(by, of.policy, "[]")),
    "issue a grant": (the_organization, lambda by, of: issue_grant(by, of.server, None, "mine")),
    "move a grant": (the_grant, lambda by, of: move_grant(by, of.grant, None)),
    "rotate a grant": (the_grant, lambda by, of: rotate_grant(by, of.grant)),
    "revoke a grant": (the_grant, lambda by, of: revoke_grant(by, of.grant)),
    "make a key": (the_organization, lambda by, _: create_api_key(by, "mine", ["logs:read"])),
    "add a webhook": (
        the_organization,
        lambda by, _: add_webhook(by, "https://x.example/hook", verified=True),
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_admin(cast: Cast, acme: Acme, verb: str) -> None:
    holds, act = VERBS[verb]
    assert demoted_meanwhile(cast, cast.dave, lambda by: act(by, acme), lambda: holds(acme))


def test_who_revokes_a_key_or_removes_a_webhook(cast: Cast) -> None:
    with inside(cast.alice):
        key, _ = create_api_key(cast.alice, "ci", ["logs:read"])
        webhook, _ = add_webhook(cast.alice, "https://x.example/hook", verified=True)
    acts: list[tuple[Callable[[Membership], object], Callable[[], object]]] = [
        (lambda by: revoke_api_key(by, key), lambda: ApiKey.objects.select_for_update().get(pk=key.pk)),
        (
            lambda by: remove_webhook(by, webhook),
            lambda: Webhook.objects.select_for_update().get(pk=webhook.pk),
        ),
    ]
    for act, held in acts:
        with inside(cast.alice):
            change_role(cast.alice, Membership.objects.get(pk=cast.dave.pk), Role.ADMIN)
            dave = Membership.objects.select_related("user").get(pk=cast.dave.pk)
        assert demoted_meanwhile(cast, dave, act, held)


@pytest.mark.parametrize("verb", [approve, decline, remind])
def test_who_answers_a_waiting_call_or_reminds_of_it(
    cast: Cast, acme: Acme, verb: Callable[[Membership, Approval], object]
) -> None:
    row = waiting(acme)
    assert demoted_meanwhile(cast, cast.carol, lambda by: verb(by, row), lambda: lock([row.pk]))
    assert fresh(cast.alice, row).state == "pending"
