"""Shows and changes the usage limits of organizations, for whoever runs the product."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.limits import DEFAULTS, WORDS, Limit, set_limits
from accounts.models import Organization, OrganizationLimits
from accounts.tenancy import WORKER_ROLE, become
from common.errors import NotFound
from common.ids import parse_public_id, public_id

MOST = 2**31 - 1


class Command(BaseCommand):
    help = "Shows how much an organization may have, and changes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="Every organization, and what is not the default.")
        show = acts.add_parser("show", help="All limits of one.")
        change = acts.add_parser("set", help="Changes some: grants=200000, or grants=default.")
        for one in (show, change):
            one.add_argument("organization", help="Its id, org_...")
        change.add_argument("limit", nargs="+", help=f"NAME=NUMBER or NAME=default; {', '.join(Limit)}.")
        for act in acts.choices.values():
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "list":
                self._list()
            case "show":
                self._show(_organization(options["organization"]))
            case _:
                organization_id = _organization(options["organization"])
                try:
                    set_limits(organization_id, dict(map(_limit, options["limit"])))
                except NotFound as unknown:
                    raise CommandError(str(unknown)) from None
                self._show(organization_id)

    @transaction.atomic
    def _list(self) -> None:
        become(WORKER_ROLE)
        rows = {row.organization_id: row for row in OrganizationLimits.objects.all()}
        for one in Organization.objects.order_by("name", "id"):
            row = rows.get(one.pk)
            own = [f"{limit}={most}" for limit in Limit if (most := getattr(row, limit.value, None))]
            self.stdout.write(f"{public_id('org', one.pk)}  {one.name}  {' '.join(own) or 'defaults'}")

    @transaction.atomic
    def _show(self, organization_id: UUID) -> None:
        become(WORKER_ROLE)
        if not Organization.objects.filter(pk=organization_id).exists():
            raise CommandError("There is no such organization.")
        row = OrganizationLimits.objects.filter(organization_id=organization_id).first()
        for limit in Limit:
            own = getattr(row, limit.value, None)
            said = f"{own}" if own else f"{DEFAULTS[limit]} (default)"
            self.stdout.write(f"{limit.value:18} {said:20} {WORDS[limit]}")


def _organization(text: str) -> UUID:
    try:
        return parse_public_id("org", text)
    except ValueError:
        raise CommandError("An organization is named by its id, org_...; `limits list` shows them.") from None


def _limit(text: str) -> tuple[Limit, int | None]:
    name, _, value = text.partition("=")
    try:
        limit = Limit(name)
    except ValueError:
        raise CommandError(f"There is no limit {name!r}; there are {', '.join(Limit)}.") from None
    if value == "default":
        return limit, None
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value) <= MOST:
        raise CommandError(f"{name} must be a whole number from 1 to {MOST}, or default.")
    return limit, int(value)
