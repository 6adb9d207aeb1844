"""What people do with an organization or a server holds up no gateway, however long it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

import policies.services
from accounts.models import Invitation, Membership, User
from accounts.services.closing import delete_organization
from accounts.services.invitations import accept, invite, resend
from approvals import claims, receivers
from approvals.services import close_void
from audit.ingest import ingest
from common.errors import NotFound
from common.events import organization_closed
from common.internal_api import Refused
from policies.models import Grant
from policies.services import judge, publish_policy, revoke_grant, rotate_grant
from servers import scanning
from servers.classing import write_class
from servers.definitions import tool_definition
from servers.models import ToolScan
from servers.probe import ScanResult, ServerInfo
from servers.services import start_scan
from tests.accounts.test_invitations import a_while_later, sent_token
from tests.approvals.calls import asked, claimed, waiting
from tests.audit.records import called, in_worker
from tests.cast import Acme, Cast, confirm, inside, make_acme, person
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)

ARGUMENTS = {"user_name": "bob"}


class Halt:
    """Whoever gets there stops, until it may go on."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def before(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def halting(*given: Any, **named: Any) -> Any:
            self.reached.set()
            self.may_go_on.wait(60)
            return act(*given, **named)

        return halting


@pytest.fixture
def slow_mail(monkeypatch: pytest.MonkeyPatch) -> Halt:
    halt = Halt()
    monkeypatch.setattr(EmailBackend, "send_messages", halt.before(EmailBackend.send_messages))
    return halt


@contextmanager
def stuck(halt: Halt, by: Membership, act: Callable[[], object]) -> Iterator[Future[None]]:
    """`act` runs beside the block, on a connection of its own, and ends after it."""

    def run() -> None:
        try:
            with inside(by):
                act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as beside:
        going = beside.submit(run)
        assert halt.reached.wait(60)
        try:
            yield going
        finally:
            halt.may_go_on.set()
        going.result(60)


def test_records_are_stored_while_a_slow_mail_server_takes_an_invitation(
    cast: Cast, acme: Acme, slow_mail: Halt
) -> None:
    confirm(cast.alice)
    with stuck(slow_mail, cast.alice, lambda: invite(cast.alice, "erin@example.com", "viewer")):
        entry = called(acme)
        assert in_worker(ingest, "gw-1", [entry]) == entry.sequence


def test_a_call_begins_to_wait_while_a_slow_mail_server_takes_an_invitation(
    cast: Cast, acme: Acme, slow_mail: Halt
) -> None:
    confirm(cast.alice)
    with stuck(slow_mail, cast.alice, lambda: invite(cast.alice, "erin@example.com", "viewer")):
        call = asked(claimed(acme.grant, ARGUMENTS), ARGUMENTS)
        assert within_a_moment(claims.ask, call).state == "pending"


def test_a_call_begins_to_wait_while_a_long_list_of_its_servers_tools_is_classed(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    classing = Halt()
    monkeypatch.setattr(scanning, "write_class", classing.before(write_class))
    with inside(cast.alice):
        scan = start_scan(cast.alice, acme.server)
        ToolScan.objects.filter(pk=scan.pk).update(state=ToolScan.State.RUNNING)
    found = ScanResult("2025-06-18", ServerInfo("", "", ""), (_tool("list_users"),), (), 0, (), ())
    with stuck(classing, cast.alice, lambda: scanning._keep(scan, found)):
        call = asked(claimed(acme.grant, ARGUMENTS), ARGUMENTS)
        assert within_a_moment(claims.ask, call).state == "pending"


def test_an_invitation_that_is_sent_again_while_it_is_accepted_ends_the_link_that_was_used(
    cast: Cast, slow_mail: Halt
) -> None:
    """Neither waits for the other in a circle, which the database would end by refusing one of them."""
    slow_mail.may_go_on.set()
    confirm(cast.alice)
    with inside(cast.alice):
        invitation = invite(cast.alice, "erin@example.com", "viewer")
        a_while_later()
    token, erin = sent_token(), person("erin")
    slow_mail.reached.clear()
    slow_mail.may_go_on.clear()
    with ThreadPoolExecutor(1) as two:
        with stuck(slow_mail, cast.alice, lambda: resend(cast.alice, invitation)):
            accepting = two.submit(_accept, erin, token)
            until(somebody_waits_for_us)
        with pytest.raises(NotFound):
            accepting.result(60)
    with inside(cast.alice):
        assert Invitation.objects.get().sent_times == 2


def test_a_call_begins_to_wait_while_a_large_policy_of_its_server_is_judged(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging = Halt()
    monkeypatch.setattr(policies.services, "judge", judging.before(judge))
    with stuck(judging, cast.alice, lambda: publish_policy(cast.alice, acme.policy)):
        call = asked(claimed(acme.grant, ARGUMENTS), ARGUMENTS)
        assert within_a_moment(claims.ask, call).state == "pending"


def test_another_organizations_call_begins_to_wait_while_one_is_deleted(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    umbra = make_acme(replace(cast, alice=cast.mallory))
    closing = Halt()
    monkeypatch.setattr(organization_closed, "send", closing.before(organization_closed.send))
    ours, theirs = (asked(claimed(one.grant, ARGUMENTS), ARGUMENTS) for one in (acme, umbra))
    with ThreadPoolExecutor(1) as beside:
        with stuck(closing, cast.alice, lambda: delete_organization(cast.alice, "Acme")):
            waits = beside.submit(in_worker, claims.ask, ours)
            until(somebody_waits_for_us)
            assert within_a_moment(claims.ask, theirs).state == "pending"
        waits.exception(60)


def test_a_call_begins_to_wait_while_the_deletion_of_its_organization_waits_for_a_slow_mail_server(
    cast: Cast, acme: Acme, slow_mail: Halt
) -> None:
    confirm(cast.alice)
    call = asked(claimed(acme.grant, ARGUMENTS), ARGUMENTS)
    with ThreadPoolExecutor(1) as beside:
        with stuck(slow_mail, cast.alice, lambda: invite(cast.alice, "erin@example.com", "viewer")):
            deleting = beside.submit(_delete, cast.alice)
            until(somebody_waits_for_us)
            assert within_a_moment(claims.ask, call).state == "pending"
        deleting.result(60)


@pytest.mark.parametrize(("act", "ends"), [(revoke_grant, Refused), (rotate_grant, type(None))])
def test_a_grant_is_revoked_or_rotated_while_a_call_of_it_begins_to_wait(
    act: Callable[[Membership, Grant], object],
    ends: type,
    cast: Cast,
    acme: Acme,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither waits for the other in a circle, in which the act may be the one that is refused."""
    waiting(acme)
    voiding = Halt()
    monkeypatch.setattr(receivers, "close_void", voiding.before(close_void))
    call = asked(claimed(acme.grant, {"user_name": "carol"}), {"user_name": "carol"})
    with ThreadPoolExecutor(1) as beside:
        with stuck(voiding, cast.alice, lambda: act(cast.alice, acme.grant)):
            begins = beside.submit(in_worker, claims.ask, call)
            wait([begins], 1.5)
        assert type(begins.exception(60)) is ends


def _accept(user: User, token: str) -> None:
    try:
        accept(user, token)
    finally:
        connection.close()


def _delete(by: Membership) -> None:
    try:
        with inside(by):
            delete_organization(by, "Acme")
    finally:
        connection.close()


def within_a_moment(act: Callable[..., Any], *given: Any) -> Any:
    """As a gateway, which does not wait for long either."""

    def run() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        return act(*given)

    return in_worker(run)


def _tool(name: str) -> Any:
    return tool_definition(name, {"name": name, "inputSchema": {}}, None)
