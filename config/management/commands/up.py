"""Exists so that `manage.py help` lists it; manage.py itself starts it, before any setting is read."""

import sys

from django.core.management.base import BaseCommand

from config.supervisor import up


class Command(BaseCommand):
    help = "Starts the whole product on this machine, or parts of it, until Ctrl-C."

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(up.main(argv[2:]))
