"""The responses when a view fails: that something broke, or that the database is unavailable for now.

Nothing here needs the database, a session or a signed-in person.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import Final

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.defaults import bad_request

from common.api_docs import PREFIX
from common.drf import problem_answer_of

RETRY_AFTER_SECONDS: Final = 10
GONE: Final = "Its database does not answer."
UPDATING: Final = "Its database is being brought up to date."
CROSSED: Final = "Someone else changed the same thing at this moment, and what you sent was not done."
_UNREADABLE: Final = "The request cannot be read."
_TRY_AGAIN: Final = "Nothing was lost. Try again in a few seconds."
# The connection may have broken just after everything was committed.
_LOOK_FIRST: Final = "In a few seconds, check whether what you sent was done; if not, send it again."
# PostgreSQL's codes: connection broken, no resources left, stopping or starting, read-only.
_GONE_CODES: Final = ("08", "53", "57P", "25006")
# One side of a deadlock, a transaction that conflicted with another, a lock that was not to be had in time,
# and what refers to a row that was deleted at this moment: each was rolled back completely.
_CROSSED_CODES: Final = ("40P01", "40001", "55P03", "23503")
# A table, column or function that this program knows, but the database does not know yet or any more.
_STRANGE_CODES: Final = ("42P01", "42703", "42883")

_log = logging.getLogger(__name__)


def failed(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: called while the exception is being handled."""
    away = _why_now()
    return _broken(request) if away is None else _come_back(_away(request, away), away)


def failed_inside(request: HttpRequest) -> HttpResponse:
    """The same for the internal listener, which answers gateways."""
    away = _why_now()
    if away is None:
        return JsonResponse({"error": "something failed here; it is in the log"}, status=500)
    return _come_back(JsonResponse({"error": away}, status=503), away)


def _why_now() -> str | None:
    error = sys.exception()
    return why_away(error) if isinstance(error, Error) else None


def _come_back(answer: HttpResponse, away: str) -> HttpResponse:
    error = sys.exception()
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    answer.headers["Cache-Control"] = "no-store"
    # Every request fails like this now: log one line for each, not the traceback that Django would write.
    _log.warning("answered 503: %s (%s)", away, type(error).__name__)
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`, for requests that cannot be read, such as a URL with thousands of fields."""
    if not request.path.startswith(PREFIX):
        return bad_request(request, exception)
    many = isinstance(exception, TooManyFieldsSent)
    detail = (
        f"There may be at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} parameters."
        if many
        else _UNREADABLE
    )
    return problem_answer_of("invalid_input", detail)


def why_away(error: Error) -> str | None:
    """Return the sentence to show; None if the error is a defect of ours."""
    code: str | None = getattr(error.__cause__, "sqlstate", None)
    match error:
        case OperationalError() | InterfaceError() if code is None:
            return GONE
        case _ if code is not None and code.startswith(_GONE_CODES):
            return GONE
        case _ if code in _CROSSED_CODES:
            return CROSSED
        case ProgrammingError() if code in _STRANGE_CODES and _is_of_another_release():
            return UPDATING
        case _:
            return None


def _is_of_another_release() -> bool:
    """Ask on another connection: the failed transaction answers nothing any more."""
    ours = known_migrations()
    beside = connection.copy()
    try:
        with beside.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = {(app, name) for app, name in cursor.fetchall()}
    except Error:
        return True
    finally:
        beside.close()
    apps = {app for app, _ in ours}
    return ours != {each for each in applied if each[0] in apps}


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _broken(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(PREFIX):
        return problem_answer_of("failed", "Nothing was changed. What went wrong is in the log.")
    again = request.method in ("GET", "HEAD")
    return HttpResponse(render_to_string("500.html", {"again": again}), status=500)


def _away(request: HttpRequest, why: str) -> HttpResponse:
    if request.path.startswith(PREFIX):
        return problem_answer_of("unavailable", f"{why} Wait for Retry-After and send it again.")
    again = request.method in ("GET", "HEAD")
    then = _TRY_AGAIN if again or why == CROSSED else _LOOK_FIRST
    return HttpResponse(render_to_string("503.html", {"text": f"{why} {then}", "again": again}), status=503)
