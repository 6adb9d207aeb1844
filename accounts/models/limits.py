from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from accounts.tenancy import OrganizationOwned


def _most(words: str) -> models.PositiveIntegerField[int | None, int | None]:
    least = [MinValueValidator(1)]
    return models.PositiveIntegerField(null=True, blank=True, help_text=words, validators=least)


class OrganizationLimits(OrganizationOwned):
    """Limits that an operator set for one organization; null is the default. The web app can only read it."""

    organization = models.OneToOneField(
        "accounts.Organization", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    servers = _most("Registered servers.")
    grants = _most("Grants that work.")
    policies = _most("Policies.")
    members = _most("Members and open invitations.")
    calls_per_second = _most("Calls a second on each gateway.")
    streams = _most("Requests of one grant that are open at one time on each gateway.")
    scans_per_hour = _most("Scans within an hour.")
    stored_records = _most("Decisions kept; the oldest make room.")

    def __str__(self) -> str:
        return f"limits of {self.organization_id}"
