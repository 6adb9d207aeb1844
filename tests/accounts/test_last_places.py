"""Several come at the same moment for the last place of something, each on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import Membership
from accounts.services import found_organization, memberships_of
from accounts.services.organizations import MOST_OWNED, found_another
from approvals import notices, webhooks
from approvals.models import Notice, Webhook
from common.errors import LimitReached
from servers.models import ToolScan
from servers.services import MOST_SCANS_AT_ONCE, start_scan
from tests.approvals.calls import waiting
from tests.approvals.test_at_once import at_once
from tests.cast import Acme, Cast, confirm, inside

pytestmark = pytest.mark.django_db(transaction=True)

COME = 8


def of_those_that_come(by: Membership, act: Callable[[], object]) -> list[str]:
    """`done`, or the sentence of the refusal."""

    def run() -> str:
        try:
            with inside(by):
                act()
        except LimitReached as refused:
            return refused.message
        return "done"

    return at_once(*[run] * COME)


def one_got_it(said: list[str]) -> bool:
    return said.count("done") == 1


def test_scans(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        for _ in range(MOST_SCANS_AT_ONCE - 1):
            start_scan(cast.alice, acme.server)
    assert one_got_it(of_those_that_come(cast.alice, lambda: start_scan(cast.alice, acme.server)))
    with inside(cast.alice):
        assert ToolScan.objects.count() == MOST_SCANS_AT_ONCE


def test_webhooks(cast: Cast) -> None:
    def add() -> Webhook:
        return webhooks.add_webhook(cast.alice, "https://x.example/hook", verified=True)[0]

    with inside(cast.alice):
        for _ in range(webhooks.MOST - 1):
            add()
    assert one_got_it(of_those_that_come(cast.alice, add))


def test_tests_of_a_webhook(cast: Cast) -> None:
    with inside(cast.alice):
        webhook, _ = webhooks.add_webhook(cast.alice, "https://x.example/hook", verified=True)
        for _ in range(webhooks.MOST_TESTS - 1):
            webhooks.send_test(cast.alice, webhook)
    assert one_got_it(of_those_that_come(cast.alice, lambda: webhooks.send_test(cast.alice, webhook)))


def test_reminders(cast: Cast, acme: Acme) -> None:
    confirm(cast.carol)
    row = waiting(acme)
    assert one_got_it(of_those_that_come(cast.alice, lambda: notices.remind(cast.alice, row)))
    with inside(cast.alice):
        assert Notice.objects.filter(kind=Notice.Kind.REMINDER).count() == 1


def test_organizations(cast: Cast) -> None:
    for number in range(MOST_OWNED - 2):
        found_organization(cast.alice.user, f"Another {number}")
    assert one_got_it(of_those_that_come(cast.alice, lambda: found_another(cast.alice.user, "The last")))
    assert len(memberships_of(cast.alice.user)) == MOST_OWNED
