"""The screens of approvals, rung by rung. Looking decides nothing; only a POST of somebody who may does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Membership, Organization
from approvals import answered
from approvals.live import news_of
from approvals.models import Approval, MailMuted, Notice, Webhook
from approvals.services import approve, decline
from approvals.webhooks import add_webhook, send_test
from policies.services import create_policy, publish_policy
from tests.approvals.calls import fresh, waiting
from tests.approvals.conftest import Clock
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, climb, queries_of
from tests.roles import as_worker

SignedIn = Callable[[Membership], Client]
REFUNDS = {
    "version": "1",
    "default": "deny",
    "tools": {
        "create_refund": {
            "approve_if": [{"conditions": [{"path": "args.amount", "op": "gt", "value": 20000}]}],
        }
    },
}


@pytest.fixture
def refund(cast: Cast, acme: Acme) -> Approval:
    with inside(cast.alice):
        policy = create_policy(cast.alice, acme.server, "refunds", json.dumps(REFUNDS))
        revision = publish_policy(cast.alice, policy)
    return waiting(
        acme,
        {"charge": "ch_3Qx81", "amount": 48000, "code": "48000", "items": [1, {"a": 2.50}]},
        tool="create_refund",
        tool_digest="",
        rule="/tools/create_refund/approve_if/0",
        policy=str(revision.pk),
    )


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("path", ["", "history/", "settings/"])
def test_the_lists_are_the_organizations_own(path: str, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    waiting(acme)
    climb(Door(f"/approvals/{path}", stranger=200), cast, signed_in)
    assert "AWS IAM" not in text_of(signed_in(cast.mallory), f"/approvals/{path}")


def test_one_call_is_shown_to_its_organization(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    climb(Door(f"/approvals/{waiting(acme).public_id}/"), cast, signed_in)


@pytest.mark.parametrize("verb", ["approve", "decline"])
def test_a_call_is_answered_by_who_may_and_by_a_post_alone(
    verb: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        Organization.objects.update(self_approval=True)
    row = waiting(acme)
    door = Door(
        f"/approvals/{row.public_id}/{verb}/", "post", {"note": " as  agreed "}, good=302, barred=("bob",)
    )
    climb(door, cast, signed_in)
    after = fresh(cast.alice, row)
    assert after.state == {"approve": "approved", "decline": "declined"}[verb]
    assert (after.note, after.answered_by_email) == ("as agreed", "alice@example.com")


def test_looking_at_a_call_answers_nothing(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    row = waiting(acme)
    before = fresh(cast.alice, row).position
    carol = signed_in(cast.carol)
    for path in ("", f"{row.public_id}/", "history/", "settings/"):
        carol.get(f"/approvals/{path}")
        carol.head(f"/approvals/{path}")
    for verb in ("approve", "decline", "remind"):
        assert carol.get(f"/approvals/{row.public_id}/{verb}/").status_code == 405
    assert (fresh(cast.alice, row).state, fresh(cast.alice, row).position) == ("pending", before)


def test_a_form_of_another_site_answers_nothing(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.carol.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post(f"/approvals/{row.public_id}/approve/").status_code == 403
    assert fresh(cast.alice, row).state == "pending"


def test_the_overview_says_when_the_first_is_denied(
    refund: Approval, cast: Cast, signed_in: SignedIn
) -> None:
    shown = text_of(signed_in(cast.carol), "/overview/?stay=1")
    first = fresh(cast.alice, refund).expires_at
    assert "1 call waits for an answer" in shown
    assert "the first is denied <time" in shown and first.isoformat(timespec="milliseconds") in shown


def test_what_waits_is_shown_with_what_it_would_do_and_why(
    refund: Approval, cast: Cast, signed_in: SignedIn
) -> None:
    shown = text_of(signed_in(cast.carol), "/approvals/")
    assert "1 call waits for an answer" in shown
    assert "amount is more than 20000" in shown
    assert "ch_3Qx81" in shown and ">48000<" in shown
    assert "&quot;48000&quot;" in shown, "a text that looks like a number keeps its quotes"
    assert "2.5" in shown and "Approve once" in shown


def test_a_viewer_sees_that_a_call_waits_and_never_its_arguments(
    refund: Approval, cast: Cast, signed_in: SignedIn
) -> None:
    for path in ("/approvals/", f"/approvals/{refund.public_id}/"):
        shown = text_of(signed_in(cast.bob), path)
        assert "create_refund" in shown and "Yours is viewer; 3 people can help." in shown
        assert "ch_3Qx81" not in shown and "Approve once" not in shown


def test_the_holder_of_a_grant_is_told_who_can_answer(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    row = waiting(acme)
    alice = signed_in(cast.alice)
    shown = text_of(alice, "/approvals/")
    assert "You hold this grant, so someone else answers. 2 others can." in shown
    assert "Approve once" not in shown and "Remind them" in shown
    refused = alice.post(f"/approvals/{row.public_id}/approve/")
    assert refused.status_code == 403 and "someone else answers" in refused.content.decode()
    assert fresh(cast.alice, row).state == "pending"


def test_who_is_alone_answers_their_own_calls_and_is_told_that_it_ends(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        Membership.objects.exclude(pk__in=[cast.alice.pk, cast.bob.pk]).delete()
    row = waiting(acme)
    alice = signed_in(cast.alice)
    assert "that ends when a second person can" in text_of(alice, "/approvals/settings/")
    assert "Approve once" in text_of(alice, "/approvals/")
    assert alice.post(f"/approvals/{row.public_id}/approve/").status_code == 302
    assert fresh(cast.alice, row).state == "approved"


def test_beside_the_list_the_card_alone_is_answered(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    row = waiting(acme)
    htmx = {"HX-Request": "true"}
    first = signed_in(cast.carol).post(f"/approvals/{row.public_id}/approve/", headers=htmx)
    assert first.status_code == 200 and "<html" not in first.content.decode()
    assert f'id="{row.public_id}"' in first.content.decode() and "Approved" in first.content.decode()
    second = signed_in(cast.dave).post(f"/approvals/{row.public_id}/decline/", headers=htmx)
    assert second.status_code == 409
    assert "carol@example.com already approved this call." in second.content.decode()


def test_an_answer_is_written_down_without_a_word_of_the_arguments(refund: Approval, cast: Cast) -> None:
    with inside(cast.carol):
        decline(cast.carol, refund, "no")
    with inside(cast.alice):
        event = AuditEvent.objects.get(verb="approval.declined")
    assert (event.actor_email, event.subject) == ("carol@example.com", refund.public_id)
    assert "48000" not in json.dumps(event.details)


def test_history_is_filtered_by_answer_and_name(
    cast: Cast, acme: Acme, signed_in: SignedIn, clock: Clock
) -> None:
    rows = [waiting(acme, {"n": number}, tool=f"tool_{number}", tool_digest="") for number in range(3)]
    with inside(cast.carol):
        approve(cast.carol, rows[0])
        decline(cast.carol, rows[1])
    clock.go_on(900)
    bob = signed_in(cast.bob)
    every = text_of(bob, "/approvals/history/")
    assert all(f"tool_{number}" in every for number in range(3)) and "3 answered calls" in every
    declined = text_of(bob, "/approvals/history/?state=declined")
    assert "tool_1" in declined and "tool_0" not in declined
    assert "No answered call matches" in text_of(bob, "/approvals/history/?q=nothing")
    assert text_of(bob, "/approvals/history/?state=junk&page=99&q=%00")


def test_history_is_turned_and_only_its_newest_are_searched(
    cast: Cast, acme: Acme, signed_in: SignedIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered, "PER_PAGE", 2)
    monkeypatch.setattr(answered, "SEARCHED", 2)
    for number in range(3):
        row = waiting(acme, {"n": number}, tool=f"tool_{number}", tool_digest="")
        with inside(cast.carol):
            decline(cast.carol, row)
        clock.go_on(1)
    waiting(acme, {"n": 3}, tool="tool_3", tool_digest="")
    bob = signed_in(cast.bob)
    first, second = (text_of(bob, f"/approvals/history/?state=declined&page={number}") for number in (1, 2))
    assert "3 answered calls" in first and "1 to 2 of 3" in first
    assert first.index("tool_2") < first.index("tool_1") and "tool_0" not in first
    assert "tool_0" in second and "tool_1" not in second
    assert "tool_3" not in first + second, "what waits is not answered"
    assert "1 of the newest 2" in text_of(bob, "/approvals/history/?q=tool_1")
    assert "None of the newest 2 matches" in text_of(bob, "/approvals/history/?q=tool_0")


def test_what_waits_is_searched_and_news_of_the_rest_stay_away(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    rows = [waiting(acme, {"n": number}, tool=f"tool_{number}", tool_digest="") for number in range(3)]
    bob = signed_in(cast.bob)
    found = text_of(bob, "/approvals/?q=TOOL_1")
    assert f'id="{rows[1].public_id}"' in found and f'id="{rows[0].public_id}"' not in found
    assert "3 calls wait for an answer" in found and "1 of 3" in found
    assert 'data-live="/approvals/live/?q=TOOL_1"' in found
    assert "3 in all" not in text_of(bob, "/approvals/"), "the heading counts, live"
    assert text_of(bob, "/approvals/?q=laptop").count("data-card") == 3
    none = text_of(bob, "/approvals/?q=tol_1&page=99&x=%00")
    assert "No waiting call matches" in none and "Did you mean" in none
    assert "find a waiting call" not in text_of(signed_in(cast.mallory), "/approvals/").lower()
    with inside(cast.carol):
        approve(cast.carol, rows[0])
        told = "".join(news_of("tool_1", cast.carol, 0).events)
    assert rows[1].public_id in told and rows[2].public_id not in told
    assert all(f'id="{place}"' in told for place in ("nav-approvals", "top-approvals"))
    assert "event: swap" in told and rows[0].public_id in told, "who waits no longer is told of everywhere"


def test_more_calls_ask_the_database_no_more(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    browser = signed_in(cast.carol)
    waiting(acme, {"n": 0})
    few = queries_of(browser, "/approvals/")
    for number in range(1, 8):
        waiting(acme, {"n": number})
    assert queries_of(browser, "/approvals/") == few


# ---- rules and notices
def test_the_rules_are_the_owners_alone(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    door = Door(
        "/approvals/settings/rules/",
        "post",
        {"seconds": "30 min", "own_calls": "no"},
        good=302,
        barred=("bob", "carol", "dave"),
        stranger=302,
    )
    climb(door, cast, signed_in)
    with inside(cast.alice):
        organization = Organization.objects.get()
        assert (organization.approval_seconds, organization.self_approval) == (1800, False)
        assert AuditEvent.objects.filter(verb="approval_rules.changed").count() == 1


@pytest.mark.parametrize(
    "time", ["", "0 minutes", "-1 minute", "15", "1441 minutes", "many", "1.5 hours", "9" * 30]
)
def test_a_time_limit_that_is_none_is_refused_in_place(
    time: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.alice).post("/approvals/settings/rules/", {"seconds": time, "own_calls": ""})
    assert answer.status_code == 422 and "Nothing was changed." in answer.content.decode()
    assert "Write a time from 1 minute to 1 day, such as 15 minutes." in answer.content.decode()


def test_everybody_mutes_their_own_mail_alone(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    climb(Door("/approvals/settings/mail/", "post", {"mail": "off"}, good=302, stranger=302), cast, signed_in)
    with inside(cast.alice):
        assert set(MailMuted.objects.values_list("member_id", flat=True)) == {cast.alice.pk}
    signed_in(cast.alice).post("/approvals/settings/mail/", {"mail": "on"})
    with inside(cast.alice):
        assert not MailMuted.objects.exists()


@pytest.fixture
def hook(cast: Cast, acme: Acme) -> Webhook:
    with inside(cast.alice):
        return add_webhook(cast.alice, "https://hooks.example/a", verified=True)[0]


def test_webhooks_are_managed_by_admins_whose_address_is_confirmed(
    cast: Cast, acme: Acme, signed_in: SignedIn, confirmed: Callable[..., None]
) -> None:
    asked = {"url": "https://hooks.example/T0/secret-path"}
    assert signed_in(cast.alice).post("/approvals/settings/webhooks/", asked).status_code == 403
    confirmed(cast.alice, cast.mallory)
    door = Door("/approvals/settings/webhooks/", "post", asked, barred=("bob", "carol"), stranger=200)
    climb(door, cast, signed_in)
    with inside(cast.alice):
        webhook = Webhook.objects.get()
        events = json.dumps(list(AuditEvent.objects.filter(verb="webhook.added").values_list("subject_name")))
    assert "whsec_" not in webhook.sealed_secret and "secret-path" not in events
    for act, good in (("test", 302), ("rotate", 200), ("switch", 302), ("remove", 302)):
        path = f"/approvals/settings/webhooks/{webhook.public_id}/{act}/"
        climb(Door(path, "post", good=good, barred=("bob", "carol")), cast, signed_in)


def test_webhooks_are_told_apart_by_the_end_of_their_urls(
    hook: Webhook, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        send_test(cast.alice, hook)
    shown = text_of(signed_in(cast.alice), "/approvals/settings/")
    assert shown.count(f'<bdi class="whitespace-pre-line">{hook.url}</bdi>') == 2, "in both lists"


@pytest.mark.parametrize("url", ["", "hooks", "ftp://x.example/", "https://u:p@x.example/", "https://x y/"])
def test_a_webhook_that_is_no_url_is_refused_in_place(
    url: str, cast: Cast, acme: Acme, signed_in: SignedIn, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.alice)
    answer = signed_in(cast.alice).post("/approvals/settings/webhooks/", {"url": url})
    assert answer.status_code == 422 and "Write the whole URL" in answer.content.decode()


def test_a_secret_is_shown_once(
    cast: Cast, acme: Acme, signed_in: SignedIn, confirmed: Callable[..., None]
) -> None:
    confirmed(cast.alice)
    alice = signed_in(cast.alice)
    answer: Any = alice.post("/approvals/settings/webhooks/", {"url": "https://hooks.example/a"})
    assert "whsec_" in answer.content.decode() and answer["Cache-Control"] == "no-store"
    assert "whsec_" not in text_of(alice, "/approvals/settings/")


def test_a_new_secret_is_shown_once_and_a_second_click_does_not_end_the_one_before(
    cast: Cast, acme: Acme, signed_in: SignedIn, hook: Webhook
) -> None:
    alice, path = signed_in(cast.alice), f"/approvals/settings/webhooks/{hook.public_id}/rotate/"
    first: Any = alice.post(path)
    assert "whsec_" in first.content.decode() and first["Cache-Control"] == "no-store"
    assert "also signed with the previous secret" in first.content.decode()
    second = alice.post(path)
    said = second.content.decode()
    assert second.status_code == 409 and "made a moment ago" in said and "Add a webhook" in said
    with inside(cast.alice):
        after = Webhook.objects.get()
    assert after.sealed_earlier == hook.sealed_secret != after.sealed_secret
    shown = text_of(alice, "/approvals/settings/")
    assert "whsec_" not in shown and "The previous secret signs too" in shown


def test_what_a_webhook_is_not_told_now_is_said_beside_it(
    cast: Cast, acme: Acme, signed_in: SignedIn, hook: Webhook
) -> None:
    alice, path = signed_in(cast.alice), f"/approvals/settings/webhooks/{hook.public_id}/"

    def row_of(name: str, answer: Any) -> str:
        (row,) = [
            one for one in re.findall(r"<li .*?</li>", answer.content.decode(), re.DOTALL) if name in one
        ]
        return str(row)

    answers = [alice.post(f"{path}test/") for _ in range(10)]
    assert answers[-1].status_code == 429
    assert "several tests a moment ago" in row_of(f"{hook.public_id}</span>", answers[-1])
    with inside(cast.alice):
        newest = Notice.objects.order_by("-created_at")[0]
    again = alice.post(f"{path}deliveries/{newest.public_id}/redeliver/")
    assert "still on its way" in row_of(newest.public_id, again)


def test_a_webhook_is_switched_as_the_button_said_however_often_it_is_pressed(
    cast: Cast, acme: Acme, signed_in: SignedIn, hook: Webhook
) -> None:
    alice, path = signed_in(cast.alice), f"/approvals/settings/webhooks/{hook.public_id}/switch/"
    for state, offered in (("off", "Switch on"), ("off", "Switch on"), ("on", "Switch off")):
        assert alice.post(path, {"state": state}).status_code == 302
        assert offered in text_of(alice, "/approvals/settings/")
    with inside(cast.alice):
        assert AuditEvent.objects.filter(verb="webhook.changed").count() == 2


def test_a_message_is_sent_again_by_who_may_and_not_while_it_is_on_its_way(
    cast: Cast, acme: Acme, signed_in: SignedIn, hook: Webhook
) -> None:
    with inside(cast.alice):
        sent = send_test(cast.alice, hook)
    with as_worker():
        Notice.objects.update(state="failed", status=500, attempts=5)
    alice, base = signed_in(cast.alice), f"/approvals/settings/webhooks/{hook.public_id}"
    assert f"{base}/deliveries/{sent.public_id}/redeliver/" in text_of(alice, "/approvals/settings/")
    door = Door(f"{base}/deliveries/{sent.public_id}/redeliver/", "post", good=302, barred=("bob", "carol"))
    climb(door, cast, signed_in)
    second = alice.post(door.path)
    assert second.status_code == 409 and "still on its way" in second.content.decode()
    assert door.path not in text_of(alice, "/approvals/settings/")
    with inside(cast.alice):
        other, _ = add_webhook(cast.alice, "https://hooks.example/b", verified=True)
        assert AuditEvent.objects.filter(verb="webhook.redelivered").count() == 1
    for bad in (f"{other.public_id}/deliveries/{sent.public_id}", f"{hook.public_id}/deliveries/msg_x"):
        assert alice.post(f"/approvals/settings/webhooks/{bad}/redeliver/").status_code == 404


def test_other_peoples_webhooks_are_nobodys_here(cast: Cast, acme: Acme) -> None:
    with inside(cast.mallory):
        add_webhook(cast.mallory, "https://hooks.example/m", verified=True)
    with inside(cast.alice):
        assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("state", "due", "asked"),
    [
        ("waiting", timedelta(0), "every 2s"),
        ("waiting", timedelta(seconds=30), "every 2s"),
        ("waiting", timedelta(minutes=9), "every 30s"),
        ("sent", timedelta(0), None),
        ("failed", timedelta(0), None),
    ],
)
def test_what_is_sent_is_asked_for_until_it_arrived_or_was_given_up(
    hook: Webhook, cast: Cast, signed_in: SignedIn, state: str, due: timedelta, asked: str | None
) -> None:
    with inside(cast.alice):
        send_test(cast.alice, hook)
    with as_worker():
        Notice.objects.filter(webhook=hook).update(state=state, due_at=timezone.now() + due)
    shown = signed_in(cast.alice).get("/approvals/settings/").content.decode()
    (panel,) = re.findall(r'<section[^>]*id="what-was-sent"[^>]*>', shown)
    assert re.findall(r'hx-trigger="([^"]*)"', panel) == ([asked] if asked else [])
