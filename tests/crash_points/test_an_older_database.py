"""Gateways follow a database restored from a backup, even though they have seen newer revisions."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.supervisor.postgres_programs import DEBIAN_PLACE
from config.supervisor.running import find_running
from tests.crash_points.test_a_crash_at_every_step import (
    Published,
    converged,
    published,  # noqa: F401 - the same product
)
from tests.journeys.api import wait_until


def _found(program: str) -> str:
    installed = sorted(DEBIAN_PLACE.glob(f"*/bin/{program}"))
    return shutil.which(program) or (str(installed[-1]) if installed else "")


pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not _found("pg_restore"), reason="there is no pg_restore"),
]


def test_after_a_restore_gateways_run_what_the_older_database_holds(
    published: Published,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    wait_until(lambda: converged(published), "the product did not come to rest before", 60)
    backup, before = tmp_path / "backup", published.saved()
    _run(published, "pg_dump", "--format=custom", f"--file={backup}")
    for _ in range(3):
        published.edit()
        published.api.publish_draft(published.policy)
    assert published.in_force() == {published.edits} != {before}
    _drop(published)
    _run(published, "pg_restore", "--single-transaction", str(backup))
    wait_until(lambda: converged(published), "the gateways did not follow the older database", 60)
    assert published.saved() == before
    published.edit()
    published.api.publish_draft(published.policy)
    assert published.in_force() == {published.edits}, "and what is published from now on"


def _drop(product: Published) -> None:
    url = _url(product)
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        for statement in ("DROP DATABASE {} WITH (FORCE)", "CREATE DATABASE {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(str(name))))


def _url(product: Published) -> str:
    return find_running(product.folder / "data").database_url


def _run(product: Published, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [_found(program), f"--dbname={_url(product)}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
