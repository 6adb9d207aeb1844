"""Says whose accounts are staff: they settle reports of wrong labels, read what visitors wrote,
look at the catalogue and the list of accounts, and see nothing of any organization."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User


class Command(BaseCommand):
    help = "Makes accounts staff, for /catalogue/reports/, /catalogue/messages/ and /admin/ (ADMIN_ENABLED)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="Whose accounts are staff.")
        add = acts.add_parser("add", help="Makes an account staff; it needs a second factor, too.")
        remove = acts.add_parser("remove", help="It is staff no longer.")
        for act in (add, remove):
            act.add_argument("email")
        for act in acts.choices.values():
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "list":
            for user in User.objects.filter(is_staff=True).order_by("email"):
                self.stdout.write(user.email)
            return
        found = User.objects.filter(email=options["email"].lower())
        if not found.update(is_staff=options["act"] == "add"):
            raise CommandError("No account has this e-mail address: sign up with it first.")
