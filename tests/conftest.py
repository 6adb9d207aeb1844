"""Shared fixtures and the order of tests.

Tests run on a real PostgreSQL in the application's own role, so row-level security is always on.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import hypothesis
import psycopg
import pytest
from django.core.cache import caches
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase

from config import env
from config.static_files import StaticFilesMiddleware
from config.supervisor.roles import ensure_roles
from tests import postgres, prepared
from tests.roles import as_owner, become

pytest_plugins = ["tests.cast"]

TESTS = Path(__file__).parent

# No deadline: how long an example takes depends on how busy the machine is.
hypothesis.settings.register_profile(
    "steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        postgres.start()  # the controller's server serves every xdist worker
        prepared.place()


# The longest first: one of them started last would keep the whole run waiting. Tests that may have to fetch
# the environment of a foreign program on a first run are early, too.
_LONGEST = (
    "journeys/test_every_page.py",
    "cluster/test_cluster.py",
    "journeys/test_unmodified_clients.py",
    "contracts/test_schemathesis.py",
    "servers/test_probe_foreign.py",
    "gateway/test_bypass.py",
    "policies/language/test_against_the_naive.py",
    "journeys/",
    "contracts/test_every_route.py",
    "contracts/test_api_never_500.py",
    "config/test_whole_product.py",
    "crash_points/",
    "policies/language/test_blocks.py",
    "policies/language/test_properties.py",
    "gateway/test_main.py",
    "contracts/",
    "policies/",
    "gateway/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first. The sort is stable: a rank keeps its order, and a file stays together."""
    items.sort(key=lambda item: _rank(item.path.relative_to(TESTS).as_posix()))
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            # A rerun would generate other examples, and the failing one would be lost.
            item.add_marker(pytest.mark.flaky(reruns=0))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Repeat the names of failures, errors and reruns at the end: after a long run that is read first."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    for outcome in ("failed", "error", "rerun"):
        for name in dict.fromkeys(report.nodeid for report in reporter.getreports(outcome)):
            reporter.write_line(f"{outcome}: {name}")


def _rank(path: str) -> int:
    return next((rank for rank, start in enumerate(_LONGEST) if path.startswith(start)), len(_LONGEST))


@pytest.fixture(autouse=True)
def requests_counted_anew() -> None:
    """Clear the counts before each test. They all share one address, so fast ones would use up the requests
    per minute of the next. The default cache counts wrong passwords."""
    for name in ("requests", "default"):
        caches[name].clear()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """Start the server when the first test needs a database."""
    url = postgres.start()
    ensure_roles(url, app_password="tests-only", worker_password="tests-only")
    admin = env.parse_database_url(url)
    suffix = getattr(request.config, "workerinput", {}).get("workerid", "")
    for settings in (connections.settings["default"], connection.settings_dict):
        settings.update(
            HOST=admin.host, PORT=admin.port, USER=admin.user, PASSWORD=admin.password, NAME=admin.name
        )
        settings["TEST"]["NAME"] = f"policylayer_test{suffix}"


# The database as the first xdist worker migrated it: the others copy it and have nothing left to migrate.
_MIGRATED = "policylayer_test_migrated"


@pytest.fixture(scope="session")
def turn_to_migrate(django_db_modify_db_settings: None) -> IO[str]:
    """The locked file that gives this worker its turn. Close it once the database exists: the next waits."""
    turn = (prepared.place() / "database").open("a+")
    fcntl.flock(turn, fcntl.LOCK_EX)
    if turn.seek(0, os.SEEK_END):
        connection.settings_dict["TEST"]["TEMPLATE"] = _MIGRATED
    return turn


@pytest.fixture(scope="session")
def django_db_setup(
    turn_to_migrate: IO[str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """Put every connection in the application's role: the migrations ran as the owner."""
    with turn_to_migrate as turn:
        if not turn.tell():
            connection.close()
            with psycopg.connect(postgres.start(), autocommit=True) as admin:
                # A server that outlives the run may still have the database of an earlier one.
                admin.execute(f"DROP DATABASE IF EXISTS {_MIGRATED}".encode())
                admin.execute(
                    f"CREATE DATABASE {_MIGRATED} TEMPLATE {connection.settings_dict['NAME']}".encode()
                )
            turn.write(_MIGRATED)
    connection_created.connect(_application_role, dispatch_uid="tests-role")
    with django_db_blocker.unblock():
        become("policylayer_app")
    yield
    connection_created.disconnect(dispatch_uid="tests-role")
    with django_db_blocker.unblock():
        become(None)


def _application_role(connection: Any, **_: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE policylayer_app")


# Tables that the migrations fill and no test changes. Django would empty and refill these each time, too.
_KEPT = ("django_migrations", "django_content_type", "auth_permission")
# Judged by file size: row-level security would hide the rows even from the owner.
_HOLDS_SOMETHING = """
    SELECT quote_ident(relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
    AND relname <> ALL(%s)
"""


def _empty_the_tables(_: TransactionTestCase) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(_HOLDS_SOMETHING, [list(_KEPT)])
        if names := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(names)} CASCADE")


TransactionTestCase._fixture_teardown = _empty_the_tables  # type: ignore[attr-defined]


# Each test client builds a site of its own, which would read the head of every static file again.
_read_the_files = StaticFilesMiddleware.add_files_from_finders
_files: dict[str, Any] = {}


def _read_the_files_once(site: StaticFilesMiddleware) -> None:
    if not _files:
        _read_the_files(site)
        _files.update(site.files)
    site.files = _files


StaticFilesMiddleware.add_files_from_finders = _read_the_files_once
