"""What is said of the database before anything else is started."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config.supervisor import prepare
from tests.roles import as_owner


@pytest.mark.django_db
def test_a_version_that_is_older_than_its_database_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    prepare._migrate()
    assert capsys.readouterr().out == ""
    with as_owner():
        MigrationRecorder(connection).record_applied("servers", "9999_of_tomorrow")
        prepare._migrate()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "by a newer version, which knows servers.9999_of_tomorrow" in said
    assert "restore the backup made before the upgrade" in said


@pytest.mark.django_db
def test_the_migrations_of_an_app_that_is_gone_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with as_owner():
        MigrationRecorder(connection).record_applied("left_out", "0001_initial")
        prepare._migrate()
    assert capsys.readouterr().out == ""
