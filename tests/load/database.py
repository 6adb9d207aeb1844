"""Sets up Django in this process, on its own database or the one POLICYLAYER_TEST_DATABASE_URL names."""

# ruff: noqa: E402 - Django is set up after the database is there
from __future__ import annotations

import os
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

from tests import postgres

URL: Final = postgres.start()

import django

django.setup()

from django.core.management import call_command
from django.db import connection, connections

from config import env
from config.supervisor.roles import ensure_roles


def prepare(*, migrated: bool = False) -> None:
    """Connect Django to the database. `migrated`: a product runs on it, so its roles and tables exist."""
    admin = env.parse_database_url(URL)
    for settings in (connections.settings["default"], connection.settings_dict):
        settings.update(
            HOST=admin.host, PORT=admin.port, USER=admin.user, PASSWORD=admin.password, NAME=admin.name
        )
    if not migrated:
        ensure_roles(URL, app_password="load", worker_password="load")
        call_command("migrate", verbosity=0)
