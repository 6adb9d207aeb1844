"""Says which processes may be gateways: each has a token, which is shown once, replaced or revoked."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.tenancy import WORKER_ROLE, become
from common.errors import InvalidInput, NotFound
from common.tokens import WORKER, new_token
from gateway_config.models import Worker
from gateway_config.services import enroll_worker, remove_worker


class Command(BaseCommand):
    help = "Enrols a gateway (again: with a new token), removes one, lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="Every gateway, and when it was last seen.")
        enroll = acts.add_parser(
            "enroll", help="Prints its WORKER_TOKEN, once; an earlier one stops working."
        )
        remove = acts.add_parser("remove", help="Its token opens nothing from now on.")
        for act in (enroll, remove):
            act.add_argument("name")
        for act in acts.choices.values():
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        become(WORKER_ROLE)
        try:
            match options["act"]:
                case "list":
                    self._list()
                case "enroll":
                    token = new_token(WORKER)
                    enroll_worker(options["name"], token)
                    self.stdout.write(token)
                case _:
                    remove_worker(options["name"])
                    self.stdout.write(f"{options['name']}: it enforces what it has until its leases end.")
        except InvalidInput as wrong:
            sentences = [sentence for each in wrong.field_errors.values() for sentence in each]
            raise CommandError(" ".join(sentences)) from None
        except NotFound as unknown:
            raise CommandError(str(unknown)) from None

    def _list(self) -> None:
        for worker in Worker.objects.order_by("name"):
            seen = f"{worker.last_seen_at:%Y-%m-%d %H:%M:%S} UTC" if worker.last_seen_at else "never"
            state = "removed" if worker.removed_at else f"seen {seen}"
            self.stdout.write(f"{worker.name}  {state}  {worker.version}".rstrip())
