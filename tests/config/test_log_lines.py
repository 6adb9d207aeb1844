"""Links in mails carry what lets somebody in; a log is read by others than who got the mail."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from celery.beat import Scheduler, SchedulingError
from django.apps import apps
from django.db import Error, InternalError, OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from psycopg.errors import (
    AdminShutdown,
    DiskFull,
    ReadOnlySqlTransaction,
    TooManyConnections,
    UndefinedFunction,
)

from accounts.models import Invitation
from accounts.services.invitations import invite
from config.celery import app
from tests.accounts.test_invitations import sent_token
from tests.cast import Cast, confirm, inside

TOKEN = "pli_" + "7" * 33
LINKS = [
    f"/invitations/{TOKEN}/",
    f"/accounts/confirm-email/{TOKEN}/",
    f"/accounts/address/{TOKEN}/",
    f"/accounts/password/reset/key/1-{TOKEN}/",
]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the product's own handler writes."""
    (handler,) = (
        each
        for each in logging.getLogger().handlers
        if type(each) is logging.StreamHandler and each.formatter
    )
    text = io.StringIO()
    before = handler.setStream(text)
    yield text
    handler.setStream(before)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("path", ["{}", "{}more/", "/elsewhere{}"])
def test_no_line_of_the_log_holds_the_token_of_a_link(
    db: None, written: io.StringIO, link: str, path: str
) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for method in ("GET", "POST", "DELETE", "PATCH"):
        client.generic(method, path.format(link))
    said = written.getvalue()
    assert "…" in said and TOKEN not in said


def test_an_invitation_asked_for_in_the_wrong_way_is_in_no_log_and_still_good(
    cast: Cast, written: io.StringIO
) -> None:
    with inside(cast.alice):
        confirm(cast.alice)
        invite(cast.alice, "erin@example.com", "viewer")
        token = sent_token()
    assert Client().post(f"/invitations/{token}/").status_code == 405
    assert "Method Not Allowed (POST): /invitations/…/" in written.getvalue()
    assert token not in written.getvalue()
    with inside(cast.alice):
        assert Invitation.objects.get().state == "open"


def test_what_went_wrong_elsewhere_is_named_whole(db: None, written: io.StringIO) -> None:
    Client().get("/servers/nothing/at/all/")
    assert "Not Found: /servers/nothing/at/all/" in written.getvalue()


def _routes(found: list[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    for each in found:
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def test_every_page_that_takes_a_token_is_looked_at_here() -> None:
    taking = {
        route.partition("<")[0].partition("(")[0].replace("^", "")
        for route in _routes(get_resolver().url_patterns)
        if any(word in route for word in ("token", "key>", "<key")) and not route.startswith("/attacks/")
    }
    assert taking == {link.rpartition("/")[0].rpartition("/")[0] + "/" for link in LINKS}


def test_while_the_database_is_away_each_failure_is_one_line(written: io.StringIO) -> None:
    try:
        raise OperationalError("couldn't get a connection\nafter 5.00 sec")
    except OperationalError as error:
        logging.getLogger("celery.app.trace").exception("Task sweep raised unexpected: %r", error)
    assert written.getvalue().count("\n") == 1
    assert "Task sweep raised" in written.getvalue() and "the database does not answer" in written.getvalue()


def _logged(error: Exception, cause: Exception | None = None, by: str = "celery.app.trace") -> None:
    try:
        raise error from cause
    except type(error):
        logging.getLogger(by).exception("Task sweep raised unexpected")


def test_a_database_that_stops_is_to_be_started(written: io.StringIO) -> None:
    _logged(OperationalError("terminating connection"), AdminShutdown())
    assert written.getvalue().endswith(
        "unexpected (AdminShutdown: the database does not answer; start it or wait for it)\n"
    )


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError, DiskFull),
        (OperationalError, TooManyConnections),
        (InternalError, ReadOnlySqlTransaction),
    ],
)
def test_a_database_that_answers_but_takes_nothing_says_why(
    written: io.StringIO, error: type[Error], cause: type[Exception]
) -> None:
    _logged(error("no more of it\nHINT: look"), cause())
    assert written.getvalue() == (
        "ERROR celery.app.trace: Task sweep raised unexpected"
        f" ({cause.__name__}: the database says: no more of it)\n"
    )


def test_a_failure_before_the_apps_are_loaded_is_logged_whole(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "ready", False)
    _logged(OperationalError("connection refused"))
    assert "Traceback" in written.getvalue() and "connection refused" in written.getvalue()


def test_a_defect_keeps_its_traceback(written: io.StringIO) -> None:
    try:
        raise OperationalError("a defect of ours") from UndefinedFunction()
    except OperationalError:
        logging.getLogger("celery.app.trace").exception("Task sweep raised unexpected")
    assert "Traceback" in written.getvalue()


def test_a_task_that_could_not_be_queued_is_one_line(written: io.StringIO) -> None:
    class OnAFullDisk(Scheduler):
        def apply_async(self, *_: Any, **__: Any) -> None:
            raise SchedulingError("sweep: [Errno 28] No space left on device")

    OnAFullDisk(app=app, lazy=True).apply_entry(Mock())
    errors = [line for line in written.getvalue().splitlines() if not line.startswith("INFO")]
    assert errors == ["ERROR celery.beat: sweep: [Errno 28] No space left on device"]


@pytest.mark.parametrize("error", [AssertionError(), KeyError("sweep")])
def test_whatever_else_fails_in_the_clock_keeps_its_traceback(written: io.StringIO, error: Exception) -> None:
    _logged(error, by="celery.beat")
    said = written.getvalue()
    assert "Task sweep raised unexpected" in said and type(error).__name__ in said and "Traceback" in said
