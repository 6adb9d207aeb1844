"""`manage.py policy`: see policies.commandline, which needs neither settings nor a database."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from policies.commandline import main


class Command(BaseCommand):
    help = "The policy language from the shell: lint, test, decide, convert, canonical, diff, batch."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:]))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def handle(self, *args: Any, **options: Any) -> None:
        code = main(options["arguments"], self.stdout)
        if code:
            sys.exit(code)
