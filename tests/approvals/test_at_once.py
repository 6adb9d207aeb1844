"""Many at the same moment, each on a connection of its own: one is asked for, one answers, one is sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import pytest
from django.core import mail
from django.db import connection

from accounts.models import Membership
from approvals import claims, sending
from approvals.models import Approval, Notice
from approvals.services import approve, decline
from approvals.tasks import send_notice
from approvals.webhooks import add_webhook, send_test
from common import alone
from common.errors import Conflict
from common.internal_api import Refused
from gateway_config.wire.approvals import ApprovalClaim
from policies.services import revoke_grant
from tests.approvals.calls import approval, asked, claim, claimed, fresh, waiting
from tests.approvals.test_notices import Receiver, receiving
from tests.cast import Acme, Cast, confirm, inside
from tests.meanwhile import until
from tests.roles import become

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
AT_ONCE = 50
ARGUMENTS = {"user_name": "bob"}


def at_once(*acts: Callable[[], T]) -> list[T]:
    """All of them begin together; what one raises is raised here."""
    begin = threading.Barrier(len(acts))
    came: list[T] = []
    wrong: list[BaseException] = []

    def run(act: Callable[[], T]) -> None:
        try:
            connection.ensure_connection()
            begin.wait(timeout=60)
            came.append(act())
        except BaseException as problem:
            wrong.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    return came


def as_gateway(act: Callable[[], T]) -> Callable[[], T]:
    def run() -> T:
        become("policylayer_worker")
        return act()

    return run


def _claims(acme: Acme, count: int) -> list[Callable[[], tuple[str, str]]]:
    """Identical calls under decisions of their own; each answers its decision and what it was told."""

    def run(each: ApprovalClaim) -> tuple[str, str]:
        return each.decision_id, claims.claim(each).state

    return [as_gateway(partial(run, claimed(acme.grant, ARGUMENTS))) for _ in range(count)]


def test_of_fifty_identical_calls_of_one_approval_one_is_sent(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    with inside(cast.carol):
        approve(cast.carol, row)
    answers = at_once(*_claims(acme, AT_ONCE))
    assert Counter(state for _, state in answers) == {"approved": 1, "none": AT_ONCE - 1}
    (sent,) = [decision for decision, state in answers if state == "approved"]
    assert str(approval(row.pk).used_by) == sent


def test_one_decision_that_claims_again_and_again_is_let_through_each_time_and_nobody_else_is(
    cast: Cast, acme: Acme
) -> None:
    row = waiting(acme)
    with inside(cast.carol):
        approve(cast.carol, row)
    mine = claimed(acme.grant, ARGUMENTS)
    answers = at_once(*[as_gateway(lambda: claims.claim(mine).state)] * 20)
    assert set(answers) == {"approved"}
    assert claim(acme.grant, ARGUMENTS).state == "none"


def test_fifty_who_ask_for_the_identical_call_ask_once(cast: Cast, acme: Acme) -> None:
    wanted = [asked(claimed(acme.grant, ARGUMENTS), ARGUMENTS) for _ in range(AT_ONCE)]
    answers = at_once(*(as_gateway(partial(claims.ask, each)) for each in wanted))
    assert {answer.state for answer in answers} == {"pending"}
    assert len({answer.id for answer in answers}) == len({answer.reserved_by for answer in answers}) == 1
    with inside(cast.alice):
        assert Approval.objects.count() == 1


def test_fifty_clicks_of_several_people_give_one_answer(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)

    def click(by: Membership, verb: Callable[[Membership, Approval], Approval]) -> Callable[[], str]:
        def run() -> str:
            with inside(by):
                try:
                    verb(by, row)
                except Conflict:
                    return ""
            return f"{by.user.email} {verb.__name__}"

        return run

    clicks = [click(cast.carol, approve), click(cast.dave, decline), click(cast.dave, approve)]
    said = Counter(at_once(*(clicks[number % 3] for number in range(AT_ONCE))))
    said.pop("", None)
    (given,) = said
    final = fresh(cast.alice, row)
    verb = {"approved": "approve", "declined": "decline"}[final.state]
    assert given == f"{final.answered_by_email} {verb}"


def test_a_grant_revoked_while_its_call_is_claimed_is_sent_at_most_once_and_closed_after(
    cast: Cast, acme: Acme
) -> None:
    row = waiting(acme)
    with inside(cast.carol):
        approve(cast.carol, row)

    def revoke() -> tuple[str, str]:
        with inside(cast.alice):
            revoke_grant(cast.alice, acme.grant)
        return "", "revoked"

    came = at_once(revoke, *_claims(acme, 10))
    assert Counter(state for _, state in came)["approved"] <= 1
    assert fresh(cast.alice, row).state in ("used", "superseded")
    assert claim(acme.grant, ARGUMENTS).state == "none"


def test_changes_are_numbered_in_the_order_they_can_be_seen(cast: Cast, acme: Acme) -> None:
    """Whoever follows the news by its cursor while everything moves misses nothing."""
    seen: dict[str, str] = {}
    done = threading.Event()

    def follow() -> None:
        cursor, quiet = 0, False
        while not quiet:
            quiet = done.is_set()
            found = claims.news_after(cursor)
            cursor = found.cursor
            seen.update({news.id: news.state for news in found.news})

    def gateway(number: int) -> None:
        for each in range(5):
            given = {"user_name": f"{number}-{each}"}
            claims.ask(asked(claimed(acme.grant, given), given))

    def run_gateways() -> None:
        at_once(*(as_gateway(partial(gateway, number)) for number in range(8)))
        done.set()

    at_once(run_gateways, as_gateway(follow))
    with inside(cast.alice):
        assert set(seen) == {str(pk) for pk in Approval.objects.values_list("pk", flat=True)}
    assert len(seen) == 40


def test_calls_that_wait_at_once_are_told_to_a_mailbox_once(cast: Cast, acme: Acme) -> None:
    confirm(cast.carol)
    rows = [waiting(acme, {"user_name": f"user {number}"}) for number in range(6)]
    with inside(cast.carol):
        written = list(Notice.objects.filter(approval__in=rows).values_list("pk", flat=True))
    at_once(*(as_gateway(partial(sending.send, pk)) for pk in written))
    told = "".join(str(message.body) for message in mail.outbox)
    assert len(mail.outbox) == 1
    assert all(told.count(row.public_id) <= 1 for row in rows)


def test_while_an_organizations_webhooks_hang_others_are_told_and_its_own_are_told_later(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _a_worker(monkeypatch) as started, receiving() as hangs, receiving() as theirs:
        hangs.may_answer.clear()
        for _ in range(8):
            _add_and_test(cast.alice, hangs)
        until(lambda: len(hangs.requests) == sending.MOST_TO_WEBHOOKS)
        until(lambda: sum(each.done() for each in started) == 8 - sending.MOST_TO_WEBHOOKS)
        _add_and_test(cast.mallory, theirs)
        until(lambda: len(theirs.requests) == 1)
        assert len(hangs.requests) == sending.MOST_TO_WEBHOOKS
        hangs.may_answer.set()
        until(lambda: len(hangs.requests) == 8)


def test_a_message_that_found_no_place_is_sent_as_soon_as_another_organizations_is(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(alone._OUTSIDE, alone.WEBHOOKS, threading.BoundedSemaphore(1))
    with _a_worker(monkeypatch) as started, receiving() as hangs, receiving() as theirs:
        hangs.may_answer.clear()
        _add_and_test(cast.alice, hangs)
        until(lambda: len(hangs.requests) == 1)
        _add_and_test(cast.mallory, theirs)
        until(lambda: len(started) == 2 and started[1].done())
        assert theirs.requests == []
        hangs.may_answer.set()
        until(lambda: len(theirs.requests) == 1)


@contextmanager
def _a_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Future[None]]]:
    """Runs the messages that are started in eight threads, which wait for any receiver; yields the runs."""
    monkeypatch.setattr("approvals.webhooks.PATIENCE_SECONDS", 300)
    monkeypatch.setattr("servers.guarded_http.READ_SECONDS", 300)
    started: list[Future[None]] = []

    def work(pk: str) -> None:
        at_once(as_gateway(partial(send_notice, pk)))

    with ThreadPoolExecutor(8) as threads:

        def send(task: str, given: tuple[str, ...]) -> None:
            if task == send_notice.name:
                started.append(threads.submit(work, *given))

        monkeypatch.setattr("config.celery.app.send_task", send)
        yield started


def _add_and_test(by: Membership, somebody: Receiver) -> None:
    with inside(by):
        webhook, _secret = add_webhook(by, somebody.url, verified=True)
        send_test(by, webhook)


def test_of_many_calls_that_begin_to_wait_at_once_no_more_wait_than_may(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MOST_WAITING_OF_A_GRANT", 4)

    def ask(name: str) -> int:
        try:
            given = {"user_name": name}
            claims.ask(asked(claimed(acme.grant, given), given))
        except Refused as refused:
            return refused.status
        return 200

    answers = at_once(*(as_gateway(partial(ask, f"user-{number}")) for number in range(24)))
    assert Counter(answers) == {200: 4, 429: 20}
