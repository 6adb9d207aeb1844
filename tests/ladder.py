"""The checks for every page: does it work, who is turned away and how, what happens to a wrong method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from tests.cast import Cast

SignedIn = Callable[[Membership], Client]


@dataclass(frozen=True)
class Door:
    """A page to check. `barred`: members who may not enter. `stranger`: the status a non-member gets.

    `also`: other methods that it answers; each has a door of its own.
    """

    path: str
    method: str = "get"
    data: Mapping[str, str] = field(default_factory=dict)
    good: int = 200
    barred: tuple[str, ...] = ()
    stranger: int = 404
    also: tuple[str, ...] = ()

    def knock(self, client: Client, method: str = "") -> int:
        return int(getattr(client, method or self.method)(self.path, self.data).status_code)


def climb(door: Door, cast: Cast, signed_in: SignedIn) -> None:
    """Make every check. The request that works comes last: it may change what the others would meet."""
    people = cast.everyone()
    for name in door.barred:
        assert door.knock(signed_in(people[name])) == 403, f"{name} at {door.path}"
    assert door.knock(signed_in(cast.mallory)) == door.stranger, f"a stranger at {door.path}"
    assert _sends_to_sign_in(door), f"nobody at {door.path}"
    for method in {"get": ("post", "delete"), "post": ("get", "put")}[door.method]:
        assert method in door.also or door.knock(signed_in(cast.alice), method) == 405, (
            f"{method} {door.path}"
        )
    assert door.knock(signed_in(cast.alice)) == door.good, f"Alice at {door.path}"


def _sends_to_sign_in(door: Door) -> bool:
    answer = getattr(Client(), door.method)(door.path, door.data)
    return answer.status_code == 302 and str(answer.headers["Location"]).startswith("/accounts/login/")


def queries_of(client: Client, path: str) -> int:
    """Count the database queries of one page."""
    client.get(path)  # what is read once per session or process does not count
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)
