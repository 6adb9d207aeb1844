"""Shows where the gateways count limits, and ends a doubt that an operator takes responsibility for."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.tenancy import WORKER_ROLE, become
from common.errors import NotFound
from gateway_config.limiters import accept_loss, stores_in_use


class Command(BaseCommand):
    help = "Lists where gateways count limits; `accept-loss` ends the doubt after one lost its state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="Every store in use, and since when it is in doubt.")
        accept = acts.add_parser("accept-loss", help="Counts from nothing: what was charged is forgotten.")
        accept.add_argument(
            "store", nargs="?", default="", help="As `list` names it; left out: all in doubt."
        )
        for act in acts.choices.values():
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "list":
            self._list()
        else:
            self._accept(options["store"])

    @transaction.atomic
    def _list(self) -> None:
        become(WORKER_ROLE)
        for store in stores_in_use():
            since = store.doubt_since
            state = "whole" if since is None else f"in doubt since {since:%Y-%m-%d %H:%M:%S} UTC"
            workers = ", ".join(store.workers.order_by("name").values_list("name", flat=True))
            self.stdout.write(f"{store.name}  {state}  ({workers})")

    def _accept(self, name: str) -> None:
        try:
            accepted = accept_loss(name)
        except NotFound as unknown:
            raise CommandError(str(unknown)) from None
        if not accepted:
            self.stdout.write("Nothing is in doubt.")
        for store in accepted:
            self.stdout.write(f"{store.name}: its gateways trust it within a few seconds.")
