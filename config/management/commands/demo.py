"""Exists so that `manage.py help` lists it; manage.py itself starts it, before any setting is read."""

import sys

from django.core.management.base import BaseCommand

from config.supervisor import demo


class Command(BaseCommand):
    help = (
        "Like `up`, with a toy server, a policy, a grant, and one allowed, one denied and one limited call."
    )

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(demo.main(argv[2:]))
