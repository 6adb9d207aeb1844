"""Health checks: is this process alive, and can it serve?"""

from __future__ import annotations

from functools import cache

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.failures import known_migrations


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _is_migrated()
    except DatabaseError:
        return _not_yet("the database does not answer\n")
    except _NotMigratedError as behind:
        return _not_yet(f"the database is not brought up to date yet: {behind} has not run\n")
    return HttpResponse("ready\n", content_type="text/plain")


def _not_yet(why: str) -> HttpResponse:
    return HttpResponse(why, status=503, content_type="text/plain")


class _NotMigratedError(Exception):
    """Its message is the first of our migrations that has not run."""


@cache
def _is_migrated() -> bool:
    """Check until it is true, then remember: a release being rolled out waits for its migrations.

    A database that is ahead is fine: processes of the previous release keep serving until they are replaced.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        missing = known_migrations() - {(app, name) for app, name in cursor.fetchall()}
    if missing:
        raise _NotMigratedError(".".join(min(missing)))
    return True
