"""Telling people: to whom, what of, how often, and nothing that decides or gives away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail
from django.db import ProgrammingError, connection, transaction

from accounts.models import Membership, User
from approvals import notices, sending
from approvals.models import Approval, MailMuted, Notice, Webhook
from approvals.services import approve, decline
from approvals.tasks import send_notice, sweep_notices
from approvals.webhooks import add_webhook, remove_webhook, send_test, signed_headers
from common.errors import Conflict, LimitReached, NotAllowed
from tests.approvals.calls import waiting
from tests.approvals.conftest import Clock
from tests.cast import Acme, Cast, inside
from tests.roles import as_worker

SECRET_ARGUMENT = "canary-of-an-argument"


@dataclass
class Receiver:
    """Somebody's webhook, which keeps what it was sent and answers as it is told, once it may."""

    url: str
    status: int = 200
    may_answer: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            told.may_answer.wait(300)
            self.send_response(told.status)
            if told.status == 302:
                self.send_header("Location", f"{told.url}elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Receiver(f"http://127.0.0.1:{server.server_port}/hook?token=of-theirs")
    told.may_answer.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        told.may_answer.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as somebody:
        yield somebody


@pytest.fixture
def webhook(cast: Cast, acme: Acme, receiver: Receiver) -> tuple[Webhook, str]:
    with inside(cast.alice):
        return add_webhook(cast.alice, receiver.url, verified=True)


def deliver_due() -> None:
    """What Celery does, in its role."""
    with as_worker():
        while due := sending.due():
            for pk in due:
                send_notice(str(pk))


def sent() -> list[Notice]:
    with as_worker():
        return list(Notice.objects.order_by("created_at", "pk"))


# ---- e-mail
def test_who_may_answer_and_confirmed_their_address_gets_an_e_mail(
    cast: Cast, acme: Acme, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.alice, cast.bob, cast.carol, cast.mallory)  # Dave did not
    row = waiting(acme, {"password": SECRET_ARGUMENT})
    deliver_due()
    assert sorted(message.to[0] for message in mail.outbox) == ["alice@example.com", "carol@example.com"]
    message = mail.outbox[0]
    assert message.subject == "PolicyLayer: laptop asks to call delete_user"
    assert f"/approvals/{row.public_id}/" in str(message.body) and "AWS IAM" in str(message.body)
    assert SECRET_ARGUMENT not in str(message.message())


def test_nobody_who_muted_it_or_left_or_was_shut_out_gets_an_e_mail(
    cast: Cast, acme: Acme, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.alice, cast.carol, cast.dave)
    with inside(cast.alice):
        notices.mute(cast.alice, True)
        assert MailMuted.objects.count() == 1
        User.objects.filter(pk=cast.carol.user_id).update(is_active=False)
    waiting(acme)
    with inside(cast.alice):
        Membership.objects.filter(pk=cast.dave.pk).delete()  # between the question and the mail
    deliver_due()
    assert mail.outbox == []
    assert [notice.state for notice in sent()] == ["dropped"]


def test_a_hundred_questions_fill_one_mail_a_minute(
    cast: Cast, acme: Acme, confirmed: Callable[..., None], clock: Clock
) -> None:
    confirmed(cast.carol)
    waiting(acme, {"n": 0})
    deliver_due()
    for number in range(1, 9):
        waiting(acme, {"n": number})
    deliver_due()
    assert len(mail.outbox) == 1
    clock.go_on(60)
    deliver_due()
    assert len(mail.outbox) == 2
    assert mail.outbox[1].subject.endswith("and 7 more")
    assert str(mail.outbox[1].body).count("/approvals/apr_") == 8
    assert {notice.state for notice in sent()} == {"sent"}


def test_what_was_answered_meanwhile_is_told_to_nobody(
    cast: Cast, acme: Acme, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.alice, cast.carol)
    row = waiting(acme)
    with inside(cast.carol):
        decline(cast.carol, row)
    deliver_due()
    assert mail.outbox == [] and {notice.state for notice in sent()} == {"dropped"}


def test_a_tool_with_a_strange_name_makes_no_strange_mail(
    cast: Cast, acme: Acme, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.carol)
    waiting(acme, tool="x\r\nBcc: eve@example.com\u202e", tool_digest="")
    deliver_due()
    (message,) = mail.outbox
    assert message.to == ["carol@example.com"]
    assert not {"\n", "\r", "\u202e"} & set(message.subject)
    assert "Bcc" not in message.message()


def test_a_mail_server_that_is_away_is_tried_again_and_given_up_in_the_end(
    cast: Cast, acme: Acme, confirmed: Callable[..., None], clock: Clock, settings: Any
) -> None:
    confirmed(cast.carol)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    waiting(acme)
    for pause in (5, 30, 120, 600, 0):
        deliver_due()
        clock.go_on(pause)
    (notice,) = sent()
    assert (notice.state, notice.attempts, notice.error) == ("failed", 5, "ConnectionRefusedError")


def test_the_holder_reminds_the_others_once_in_a_while(
    cast: Cast, acme: Acme, confirmed: Callable[..., None], clock: Clock
) -> None:
    confirmed(cast.alice, cast.carol)
    row = waiting(acme)
    deliver_due()
    clock.go_on(120)
    with inside(cast.alice):
        assert notices.remind(cast.alice, row) == 1
        with pytest.raises(LimitReached):
            notices.remind(cast.alice, row)
    with inside(cast.bob), pytest.raises(NotAllowed):
        notices.remind(cast.bob, row)
    deliver_due()
    assert mail.outbox[-1].to == ["carol@example.com"] and len(mail.outbox) == 3
    clock.go_on(780)
    with inside(cast.alice), pytest.raises(Conflict):
        notices.remind(cast.alice, row)


# ---- webhooks
def test_a_webhook_is_told_signed_as_the_standard_has_it(
    acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]
) -> None:
    row = waiting(acme, {"password": SECRET_ARGUMENT})
    deliver_due()
    ((headers, body),) = receiver.requests
    key = base64.b64decode(webhook[1].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert told["type"] == "approval.requested"
    assert told["data"]["approval"] == row.public_id and told["data"]["tool"] == "delete_user"
    assert SECRET_ARGUMENT not in body.decode()


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """From the specification's libraries: message, time and secret are theirs."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_that_fails_is_tried_again_under_the_same_id_and_given_up_in_the_end(
    acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str], clock: Clock, cast: Cast
) -> None:
    receiver.status = 500
    waiting(acme)
    for pause in (5, 30, 120, 600):
        deliver_due()
        deliver_due()  # not due yet: changes nothing
        clock.go_on(pause)
    deliver_due()
    (notice,) = sent()
    assert (notice.state, notice.attempts, notice.status) == ("failed", 5, 500)
    assert len(receiver.requests) == 5 and len({head["webhook-id"] for head, _ in receiver.requests}) == 1
    assert len({head["webhook-timestamp"] for head, _ in receiver.requests}) == 5


def test_a_webhook_that_comes_back_is_told(
    acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str], clock: Clock
) -> None:
    receiver.status = 503
    waiting(acme)
    deliver_due()
    receiver.status = 204
    clock.go_on(5)
    deliver_due()
    assert [(notice.state, notice.status) for notice in sent()] == [("sent", 204)]


def test_a_webhook_that_does_not_answer_is_waited_for_by_one_message_and_not_by_each(
    acme: Acme,
    receiver: Receiver,
    webhook: tuple[Webhook, str],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("approvals.webhooks.PATIENCE_SECONDS", 0.5)
    receiver.may_answer.clear()
    for number in range(5):
        waiting(acme, {"n": number})
    deliver_due()
    assert len(receiver.requests) == 1
    receiver.may_answer.set()
    clock.go_on(30)
    deliver_due()
    assert Counter(notice.state for notice in sent()) == {"sent": 5}


def test_a_webhook_that_is_gone_is_switched_off(
    cast: Cast, acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]
) -> None:
    receiver.status = 410
    waiting(acme, {"n": 1})
    waiting(acme, {"n": 2})
    deliver_due()
    waiting(acme, {"n": 3})
    deliver_due()
    assert len(receiver.requests) == 1
    with inside(cast.alice):
        assert Webhook.objects.get().disabled_at is not None


def test_a_redirect_is_not_followed(acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]) -> None:
    receiver.status = 302
    waiting(acme)
    deliver_due()
    assert len(receiver.requests) == 1
    assert [(notice.state, notice.error) for notice in sent()] == [("waiting", "redirected")]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/", "http://localhost/"],
)
def test_a_webhook_inside_is_not_connected_to(
    url: str, cast: Cast, acme: Acme, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EGRESS_ALLOW_PRIVATE = ()
    with inside(cast.alice):
        add_webhook(cast.alice, url, verified=True)
    waiting(acme)
    deliver_due()
    assert [notice.error for notice in sent()] == ["address_not_allowed"]


def test_nothing_that_is_logged_names_a_webhooks_address(
    acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        waiting(acme)
        deliver_due()
    assert "of-theirs" not in caplog.text and "whsec_" not in caplog.text


def test_a_test_is_sent_at_once_and_not_again_and_again(
    cast: Cast, acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]
) -> None:
    receiver.status = 500
    with inside(cast.alice):
        send_test(cast.alice, webhook[0])
    deliver_due()
    assert [(notice.kind, notice.state) for notice in sent()] == [("webhook.test", "failed")]
    assert json.loads(receiver.requests[0][1])["type"] == "webhook.test"
    with inside(cast.alice), pytest.raises(LimitReached):
        for _ in range(5):
            send_test(cast.alice, webhook[0])


def test_a_removed_webhook_is_told_nothing_more(
    cast: Cast, acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]
) -> None:
    waiting(acme)
    with inside(cast.alice):
        remove_webhook(cast.alice, webhook[0])
    deliver_due()
    assert receiver.requests == [] and sent() == []


def test_a_message_that_was_lost_is_sent_by_the_sweep_and_sent_once(
    acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(acme)
    monkeypatch.setattr("approvals.tasks.start", lambda _, *given: send_notice(*given))
    with as_worker():
        sweep_notices()
        sweep_notices()
    (notice,) = sent()
    with as_worker():
        send_notice(str(notice.pk))
    assert len(receiver.requests) == 1


def test_there_is_an_end_to_how_many_webhooks_there_are(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice), pytest.raises(LimitReached):
        for number in range(11):
            add_webhook(cast.alice, f"https://hooks.example/{number}", verified=True)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM accounts_user",
        "SELECT * FROM accounts_membership",
        "SELECT * FROM account_emailaddress",
        "SELECT * FROM approvals_mailmuted",
    ],
)
def test_the_worker_reads_of_people_what_it_must_and_no_more(statement: str, cast: Cast) -> None:
    with as_worker(), pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_people_read_no_webhook_of_others_and_change_no_notice(
    cast: Cast, acme: Acme, webhook: tuple[Webhook, str]
) -> None:
    row = waiting(acme)
    with inside(cast.mallory):
        assert not Webhook.objects.exists() and not Notice.objects.exists() and not Approval.objects.exists()
    with inside(cast.alice), pytest.raises(ProgrammingError), transaction.atomic():
        Notice.objects.update(status=200)
    with inside(cast.alice), pytest.raises(ProgrammingError), transaction.atomic():
        Approval.objects.filter(pk=row.pk).delete()


def test_an_approved_call_is_told_to_nobody_any_more(
    cast: Cast, acme: Acme, receiver: Receiver, webhook: tuple[Webhook, str]
) -> None:
    row = waiting(acme)
    with inside(cast.carol):
        approve(cast.carol, row)
    deliver_due()
    assert receiver.requests == []
