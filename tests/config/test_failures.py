"""What is answered while the database is away, and when something broke."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Membership
from accounts.services.members import remove_member
from common.errors import Conflict
from config import failures, health
from config.middleware import DomainErrorMiddleware
from policies.services import rotate_grant
from tests.accounts.test_gone_meanwhile import inside_of
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.cast import Acme, Cast, inside
from tests.roles import become

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def _away(cast: Cast) -> Iterator[None]:
    """The database is where nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
        connection.close()
        connection.settings_dict.update(HOST="127.0.0.1", PORT=nobody.getsockname()[1])
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict.update(there)


@pytest.fixture
def key_of_alice(cast: Cast, api_key: Callable[..., str]) -> str:
    return api_key(cast.alice)


@pytest.mark.usefixtures("_away")
@pytest.mark.parametrize("path", ["/", "/catalogue/", "/catalogue/risk/critical/"])
def test_while_the_database_is_away_a_page_says_so_and_when_to_come_back(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not answer.cookies
    page = answer.content.decode()
    assert "Its database does not answer." in page and "Try again" in page
    assert "127.0.0.1" not in page and "psycopg" not in page


def test_who_is_signed_in_is_told_the_same(
    request: pytest.FixtureRequest, cast: Cast, signed_in: Callable[..., Client]
) -> None:
    client = signed_in(cast.alice)
    client.raise_request_exception = False
    request.getfixturevalue("_away")
    assert client.get("/policies/").status_code == 503
    sent = client.post("/organizations/new/", {"name": "Acme 2"})
    assert sent.status_code == 503
    assert "check whether what you sent was done" in sent.content.decode()


def test_a_program_is_told_so_as_a_problem(
    request: pytest.FixtureRequest, browser: Client, key_of_alice: str
) -> None:
    request.getfixturevalue("_away")
    answer = browser.get("/api/v1/servers/", headers={"Authorization": f"Bearer {key_of_alice}"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["code"] == "unavailable"
    assert answer.json()["type"].endswith("/api/docs/problems/unavailable/")


def test_each_request_that_meets_it_is_one_line_of_the_log_and_no_traceback(
    request: pytest.FixtureRequest, browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    request.getfixturevalue("_away")
    browser.get("/")
    assert [(one.levelname, one.exc_info) for one in caplog.records] == [("WARNING", None)]


def _unknown_table() -> Error:
    with pytest.raises(Error) as said, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM nothing_of_the_kind")
    return said.value


def test_a_table_that_is_missing_is_a_defect_unless_the_database_is_of_another_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = _unknown_table()
    assert failures.why_away(error) is None
    newer = failures.known_migrations() | {("servers", "9999_to_come")}
    monkeypatch.setattr(failures, "known_migrations", lambda: newer)
    assert failures.why_away(error) == failures.UPDATING


def test_a_statement_that_is_refused_is_a_defect() -> None:
    with pytest.raises(Error) as said, connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert failures.why_away(said.value) is None


def test_a_connection_that_breaks_under_a_request_is_the_database_away() -> None:
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Error) as said, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()
    assert failures.why_away(said.value) == failures.GONE


def _failed_at(path: str, error: Exception | None = None) -> HttpResponse:
    request = RequestFactory().post(path) if error else RequestFactory().get(path)
    try:
        raise error or ZeroDivisionError
    except Exception:
        return failures.failed(request)


def test_a_defect_is_a_page_for_people_and_a_problem_for_programs() -> None:
    page, problem = _failed_at("/servers/"), _failed_at("/api/v1/servers/")
    assert (page.status_code, problem.status_code) == (500, 500)
    assert "Something broke on our side" in page.content.decode() and "Try again" in page.content.decode()
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert b'"code": "failed"' in problem.content


def test_who_is_signed_in_meets_an_error_within_the_site(
    cast: Cast, signed_in: Callable[..., Client], browser: Client
) -> None:
    nowhere = "/servers/srv_00000000000000000000000000/"
    within, without = signed_in(cast.alice).get(nowhere), browser.get("/nothing/")
    assert (within.status_code, without.status_code) == (404, 404)
    assert f'href="{reverse("policies:list")}"' in within.content.decode()
    assert f'href="{reverse("policies:list")}"' not in without.content.decode()
    refused = signed_in(cast.bob).get("/servers/register/")
    assert refused.status_code == 403
    page = refused.content.decode()
    assert f'href="{reverse("policies:list")}"' in page
    assert "This page is not open to you" in page and "needs the admin role. Yours is viewer" in page
    assert f'href="{reverse("members")}">See who can' in page
    came_from = {"Referer": "http://testserver/servers/"}
    asked = {"email": "erin@example.com", "role": "viewer"}
    sent = signed_in(cast.bob).post("/settings/members/", asked, headers=came_from)
    assert sent.status_code == 403 and "That was not done" in sent.content.decode()
    assert 'href="/servers/">Back to the page' in sent.content.decode()


def test_an_address_that_only_takes_forms_says_so_to_whoever_looks(
    cast: Cast, signed_in: Callable[..., Client], browser: Client
) -> None:
    for client in (signed_in(cast.alice), browser):
        answer = client.get("/settings/leave/")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert "Forms are sent to this address" in answer.content.decode()
    assert signed_in(cast.alice).delete("/settings/leave/").content == b""


def test_a_refusal_out_of_a_failed_transaction_asks_the_database_nothing(cast: Cast) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    request = RequestFactory().get("/")
    request.member = cast.alice  # type: ignore[attr-defined]
    with transaction.atomic():
        with pytest.raises(Error), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        answer = DomainErrorMiddleware(view).process_exception(request, Conflict("It is taken."))
        transaction.set_rollback(True)
    assert isinstance(answer, HttpResponse)
    assert answer.status_code == 409 and "It is taken." in answer.content.decode()


def test_a_site_whose_migrations_have_not_run_takes_no_traffic_until_they_have(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = ("servers", "9999_to_come")
    ours = failures.known_migrations()
    monkeypatch.setattr(health, "known_migrations", lambda: ours | {coming})
    health._is_migrated.cache_clear()
    try:
        become("policylayer_app")
        answer = browser.get("/readyz")
        assert (answer.status_code, answer.content) == (
            503,
            b"the database is not brought up to date yet: servers.9999_to_come has not run\n",
        )
        become(None)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", coming
            )
        assert browser.get("/readyz").status_code == 200
        monkeypatch.setattr(health, "known_migrations", lambda: pytest.fail("asked again"))
        assert browser.get("/readyz").status_code == 200
    finally:
        become(None)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = %s", [coming[1]])
        health._is_migrated.cache_clear()


@pytest.mark.usefixtures("_away")
def test_a_site_without_its_database_takes_no_traffic(browser: Client) -> None:
    assert browser.get("/readyz").status_code == 503
    assert browser.get("/healthz").status_code == 200


def test_two_that_wait_for_each_other_are_told_to_send_it_again_and_nothing_was_done(cast: Cast) -> None:
    """PostgreSQL ends one of them."""
    first, second = cast.alice.pk, cast.bob.pk
    both_have_one = threading.Barrier(2)
    ended: list[Error] = []

    def take(*memberships: UUID) -> None:
        try:
            with inside(cast.alice):
                held = Membership.objects.select_for_update()
                held.filter(pk=memberships[0]).update(role="admin")
                both_have_one.wait()
                held.get(pk=memberships[1])
                transaction.set_rollback(True)
        except Error as error:
            ended.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=each) for each in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (error,) = ended
    page, problem = _failed_at("/settings/", error), _failed_at("/api/v1/servers/", error)
    assert (page.status_code, problem.status_code) == (503, 503)
    assert "was not done" in page.content.decode() and "check whether" not in page.content.decode()
    assert b'"code": "unavailable"' in problem.content and problem.headers["Retry-After"]


def test_an_address_of_thousands_of_fields_is_refused_as_each_face_does_and_fills_no_log(
    browser: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = "&".join(f"a{n}=1" for n in range(1_100))
    page = browser.get(f"/catalogue/?{fields}")
    assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    for path in ("/api/v1/catalog/servers/", "/api/v1/catalog/search/", "/api/v1/servers/", "/api/v1/none/"):
        answer = browser.get(f"{path}?{fields}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json"), path
        assert answer.json()["detail"] == "There may be at most 1,000 parameters."
    assert "Traceback" not in capfd.readouterr().err


def test_what_anybody_may_send_too_much_of_is_not_logged_with_its_traceback() -> None:
    for what in (TooManyFieldsSent, TooManyFilesSent, RequestDataTooBig):
        assert not logging.getLogger(f"django.security.{what.__name__}").propagate


def test_who_is_removed_before_their_change_is_stored_is_told_that_it_was_not_done(
    cast: Cast, acme: Acme
) -> None:
    """It names them as the one who did it, and they are no longer there to be named."""
    said: list[str] = []
    with pytest.raises(Error) as crossed, inside(cast.dave):
        rotate_grant(cast.dave, acme.grant)
        in_a_thread(inside_of(cast.alice, lambda: remove_member(cast.alice, cast.dave)), said).join(60)
    assert said == ["done"]
    assert failures.why_away(crossed.value) == failures.CROSSED
