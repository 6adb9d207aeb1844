from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import Membership
from tests.cast import inside


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(timezone.now())
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


@pytest.fixture
def confirmed() -> Callable[..., None]:
    """These people followed the link in our first mail to them."""

    def confirm(*members: Membership) -> None:
        for member in members:
            with inside(member):
                EmailAddress.objects.create(
                    user=member.user, email=member.user.email, verified=True, primary=True
                )

    return confirm
