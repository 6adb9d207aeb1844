"""What visitors may send: kept and mailed, from our own pages, not too often, never by a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.cache import caches
from django.core.mail.backends.locmem import EmailBackend
from django.db import ProgrammingError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Membership
from catalog.forms import stamp
from catalog.ingest import Report
from catalog.models import ContactMessage, LabelReport
from catalog.tasks import mail_message, sweep_messages
from config.settings import base
from tests.accounts.staff import make_staff, show_second_factor
from tests.cast import Cast
from tests.catalog.index import index
from tests.roles import as_owner, as_worker

__all__ = ["index"]
OURS = {"Origin": "http://testserver"}
LABEL = {"server": "awslabs-iam-mcp-server", "tool": "get_group", "should_be": "Write", "why": "It does."}


@pytest.fixture(autouse=True)
def _nobody_has_sent_anything() -> None:
    for cache in caches.all(initialized_only=False):
        cache.clear()


def send(data: dict[str, str], path: str = "/contact/", headers: dict[str, str] = OURS) -> Any:
    return Client().post(path, {"proof": stamp(), **data}, headers=headers)


def message(**changed: str) -> dict[str, str]:
    return {"email": "visitor@example.com", "about": "delete_user", "message": "It is wrong.", **changed}


def kept() -> list[tuple[str, str]]:
    with as_owner():
        return list(ContactMessage.objects.order_by("pk").values_list("email", "message"))


def test_a_message_is_kept_and_mailed_once(
    db: None, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.CONTACT_EMAIL = "desk@example.com"
    answer = send(message(about="a\nBcc: everybody@example.com"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/contact/?sent=1")
    assert "Message sent." in Client().get("/contact/?sent=1").content.decode()
    assert kept() == [("visitor@example.com", "It is wrong.")]
    with as_worker():
        (pk,) = ContactMessage.objects.values_list("pk", flat=True)
        mail_message(str(pk))
        mail_message(str(pk))
        sweep_messages()
    (sent,) = mail.outbox
    assert (sent.to, sent.reply_to) == (["desk@example.com"], ["visitor@example.com"])
    assert "\n" not in sent.subject


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (message(email="nobody"), OURS, 422),
        (message(email='"a\x0bb"@example.com'), OURS, 422),
        (message(email='"a\x0c:b"@example.com'), OURS, 422),
        (message(email=f"a@{'é' * 62}.com"), OURS, 422),
        (message(email="a@\u06dd.com"), OURS, 422),
        (message(message=""), OURS, 422),
        (message(message="x" * 6000), OURS, 422),
        (message(proof=""), OURS, 422),
        (message(proof="2026-01-01:forged"), OURS, 422),
        (message(website="https://spam.example"), OURS, 422),
        (message(), {"Origin": "https://evil.example"}, 403),
        (message(), {}, 403),
    ],
)
def test_what_is_no_message_is_said_and_not_kept(
    db: None, data: dict[str, str], headers: dict[str, str], status: int
) -> None:
    assert send(data, headers=headers).status_code == status
    assert kept() == []


def test_whoever_wrote_from_a_page_is_led_back_to_it(index: Report) -> None:
    tool = "/tools/awslabs-iam-mcp-server/create_access_key/"
    assert 'value="create_access_key, AWS IAM MCP Server"' in Client().get(tool).content.decode()
    sent = send(message(page=tool)).headers["Location"]
    assert f'href="{tool}">Back to the page you came from' in Client().get(sent).content.decode()
    for elsewhere in ("//evil.example/", "https://evil.example/", "javascript:alert(1)", "/accounts/logout/"):
        page = Client().get("/contact/", {"sent": 1, "from": elsewhere}).content.decode()
        assert "Back to the catalogue" in page and "evil" not in page
    assert send(message(page="//evil.example/")).headers["Location"] == "/contact/?sent=1"
    reported = send(LABEL, "/catalogue/wrong-label/").headers["Location"]
    back = '<a class="btn" href="/tools/awslabs-iam-mcp-server/get_group/">Back to '
    assert back in Client().get(reported).content.decode()


def test_a_flood_from_one_place_is_stopped(db: None) -> None:
    answers = [send(message()).status_code for _ in range(7)]
    assert answers == [302] * 5 + [429] * 2
    assert len(kept()) == 5


def test_the_hour_of_a_flood_begins_with_its_first_message_and_nobody_prolongs_it(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CACHES = {
        "default": {"BACKEND": base.CACHES["default"]["BACKEND"], "LOCATION": tmp_path},
        "requests": {"BACKEND": base.CACHES["requests"]["BACKEND"], "LOCATION": tmp_path / "counters"},
    }
    clock = time.time
    for minutes, status in [*((0, 302),) * 5, (6, 429), (30, 429), (59, 429), (61, 302)]:
        monkeypatch.setattr(time, "time", lambda: clock() + minutes * 60)  # noqa: B023
        assert send(message()).status_code == status, minutes


def test_a_message_that_the_mail_server_did_not_take_waits_and_is_one_line_in_the_log(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> int:
        raise ConnectionRefusedError("desk@example.com: refused")

    settings.CONTACT_EMAIL = "desk@example.com"
    monkeypatch.setattr(EmailBackend, "send_messages", away)
    with as_owner():
        waiting = ContactMessage.objects.create(email="a@example.com", message="It is wrong.")
    with as_worker():
        mail_message(str(waiting.pk))
        waiting.refresh_from_db()
    (line,) = [record for record in caplog.records if record.name == "catalog.tasks"]
    assert waiting.mailed_at is None and line.exc_info is None and "desk@" not in line.getMessage()


def test_what_staff_have_answered_is_not_mailed_once_there_is_an_address_to_mail_to(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_owner():
        open_, answered = (
            ContactMessage.objects.create(email="a@example.com", message="It is wrong.", answered_at=at)
            for at in (None, timezone.now())
        )
    settings.CONTACT_EMAIL = "desk@example.com"
    started: list[str] = []
    monkeypatch.setattr("catalog.tasks.start", lambda name, key: started.append(key))
    with as_worker():
        sweep_messages()
        mail_message(str(answered.pk))
    assert started == [str(open_.pk)] and mail.outbox == []


def test_without_an_address_to_mail_to_nothing_is_swept(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_owner():
        ContactMessage.objects.create(email="a@example.com", message="It is wrong.")
    started: list[str] = []
    monkeypatch.setattr("catalog.tasks.start", lambda name, key: started.append(key))
    with as_worker():
        sweep_messages()
    assert started == []


def test_a_message_the_mail_server_always_refuses_keeps_no_other_waiting(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONTACT_EMAIL = "desk@example.com"
    with as_owner():
        refused = [ContactMessage(email="a@example.com", message="spam") for _ in range(300)]
        ContactMessage.objects.bulk_create(refused)
        last = ContactMessage.objects.create(email="b@example.com", message="It is wrong.")
    started: list[str] = []
    monkeypatch.setattr("catalog.tasks.start", lambda name, key: started.append(key))
    with as_worker():
        for _ in range(60):
            sweep_messages()
    assert str(last.pk) in started and len(started) == 6_000


def test_a_wrong_label_is_queued_once_and_changes_no_label(index: Report) -> None:
    assert send(LABEL, "/catalogue/wrong-label/").status_code == 302
    assert send(LABEL, "/catalogue/wrong-label/").status_code == 302
    (report,) = LabelReport.objects.all()
    assert (report.tool, report.label, report.should_be, report.state) == (
        "get_group",
        "Read",
        "Write",
        "open",
    )
    assert "Read" in Client().get("/tools/awslabs-iam-mcp-server/get_group/").content.decode()


def test_a_label_of_nothing_is_not_found(index: Report) -> None:
    assert send({**LABEL, "tool": "nothing"}, "/catalogue/wrong-label/").status_code == 404
    assert LabelReport.objects.count() == 0


def test_a_label_is_chosen_and_not_the_first_of_them_taken(index: Report) -> None:
    answer = send({**LABEL, "should_be": ""}, "/catalogue/wrong-label/")
    assert answer.status_code == 422 and "Choose the class that it should be." in answer.content.decode()
    assert not LabelReport.objects.exists()


def test_a_label_that_a_tool_has_is_no_report(index: Report) -> None:
    answer = send({**LABEL, "should_be": "Read"}, "/catalogue/wrong-label/")
    assert answer.status_code == 422 and "It does." in answer.content.decode(), "what was typed stays"
    assert "Read is the class that it has. Choose the one that it should be." in answer.content.decode()
    assert not LabelReport.objects.exists()


def test_only_staff_see_and_settle_the_queue(
    index: Report, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    send(LABEL, "/catalogue/wrong-label/")
    (report,) = LabelReport.objects.all()
    settle = f"/catalogue/reports/{report.pk}/"
    for client in (signed_in(cast.alice), signed_in(cast.mallory)):
        assert client.get("/catalogue/reports/").status_code == 404
        assert client.post(settle, {"state": "wrong"}).status_code == 404
    make_staff(cast.dave)
    staff = show_second_factor(signed_in(cast.dave), cast.dave)
    assert "It does." in staff.get("/catalogue/reports/").content.decode()
    assert staff.get(settle).status_code == 405
    assert staff.post(settle, {"state": "nonsense"}).status_code == 404
    assert staff.post(settle, {"state": "wrong"}).status_code == 302
    assert staff.post(settle, {"state": "right"}).status_code == 409
    report.refresh_from_db()
    assert (report.state, report.settled_by) == ("wrong", cast.dave.user.email)


def test_only_staff_read_messages_and_mark_them_answered(
    db: None, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    send(message(about="<b>delete_user", message="It is wrong.\n\u202eNot so."))
    send(message(about="", email="second@example.com"))
    with as_owner():
        first = ContactMessage.objects.earliest("pk")
    mark = f"/catalogue/messages/{first.pk}/"
    for client in (signed_in(cast.alice), signed_in(cast.mallory)):
        assert client.get("/catalogue/messages/").status_code == 404
        assert client.post(mark).status_code == 404
    make_staff(cast.dave)
    staff = show_second_factor(signed_in(cast.dave), cast.dave)
    page = staff.get("/catalogue/messages/").content.decode()
    assert "2 messages waiting" in page and "No subject" in page
    assert "<b>" not in page and "\u202e" not in page and "mailto:second@example.com?" in page
    assert "mailto:visitor@example.com?subject=Re%3A%20%3Cb%3Edelete_user" in page
    assert staff.get(mark).status_code == 405
    assert staff.post("/catalogue/messages/999999999/").status_code == 404
    assert staff.post(mark).status_code == 302
    assert staff.post(mark).status_code == 409
    with as_owner():
        first.refresh_from_db()
    assert first.answered_by == cast.dave.user.email
    page = staff.get("/catalogue/messages/").content.decode()
    assert "1 message waiting" in page and "Answered lately" in page


def test_the_site_changes_nothing_of_a_message_but_that_it_was_answered(db: None) -> None:
    send(message())
    for change in ({"message": "Another."}, {"email": "b@example.com"}, {"mailed_at": None}):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            ContactMessage.objects.update(**change)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ContactMessage.objects.all().delete()


def test_the_queues_of_staff_show_addresses_and_subjects_in_full_and_lead_to_each_other(
    index: Report, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    """On a phone, too: what is cut short there cannot be read in any other way."""
    long = f"{'a.very.long.name.' * 3}visitor@department.example.com"
    send(message(email=long, about="A subject " * 9))
    send(LABEL, "/catalogue/wrong-label/")
    make_staff(cast.dave)
    staff = show_second_factor(signed_in(cast.dave), cast.dave)
    for path, button in (("messages", "Mark as answered"), ("reports", "Label stands")):
        page = staff.get(f"/catalogue/{path}/").content.decode()
        assert 'class="line"' not in page and "<table" not in page
        assert f'{button}<span class="sr-only">' in page
        assert page.count('<span class="num">1</span>') == 2 and 'href="/admin/"' in page
        assert f'href="/catalogue/{path}/" aria-current="page"' in page
    assert long in staff.get("/catalogue/messages/").content.decode()
