"""A key is revoked, or a browser signed out, while what they asked for waits its turn: it is not done."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.utils import timezone

import servers.services
from accounts.limits import leave_room
from accounts.models import ApiKey, IdempotentAnswer, Membership, Organization
from accounts.services import revoke_api_key
from accounts.services.members import remove_member
from servers.models import Server
from tests.accounts.test_gone_meanwhile import inside_of
from tests.accounts.test_held_up_by_nobody import Halt
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.cast import Acme, Cast, inside
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)


def answered(ask: Callable[[], int], meanwhile: Callable[[], object], cast: Cast) -> int:
    """The status of what was asked before and waited until after."""
    said: list[str] = []
    status: list[int] = []
    with transaction.atomic(), inside(cast.alice):
        Organization.objects.select_for_update().get()
        Server.objects.select_for_update().get()
        meanwhile()
        thread = in_a_thread(lambda: status.append(ask()), said)
        until(somebody_waits_for_us)
    thread.join()
    assert said == ["done"]
    return status[0]


def test_a_key(cast: Cast, acme: Acme, api_key: Callable[..., str]) -> None:
    bearer = {"Authorization": f"Bearer {api_key(cast.dave, 'servers:write', 'members:write')}"}
    with inside(cast.alice):
        key = ApiKey.objects.get()

    def ask(address: str, **body: str) -> Callable[[], int]:
        headers = {**bearer, "If-Match": "*"}
        return lambda: (
            Client()
            .patch(f"/api/v1/{address}/", json.dumps(body), content_type="application/json", headers=headers)
            .status_code
        )

    for asked in (
        ask(f"servers/{acme.server.public_id}", name="Taken over"),
        ask(f"members/{cast.bob.public_id}", role="admin"),
    ):
        with inside(cast.alice):
            ApiKey.objects.update(revoked_at=None)
        # 401 where it waited sooner than it was meant to: for its key, whose use is noted.
        assert answered(asked, lambda: revoke_api_key(cast.alice, key), cast) in {401, 403}
    with inside(cast.alice):
        assert Server.objects.get().name == "AWS IAM"
        assert Membership.objects.get(pk=cast.bob.pk).role == "viewer"


def new_password(of: Membership) -> None:
    of.user.set_password("another good password")
    of.user.save()


@pytest.mark.parametrize("ends", [lambda _: Session.objects.all().delete(), new_password])
def test_a_browser(
    cast: Cast,
    acme: Acme,
    signed_in: Callable[[Membership], Client],
    ends: Callable[[Membership], object],
) -> None:
    browser = signed_in(cast.dave)
    retire = f"/servers/{acme.server.public_id}/retire/"
    # 302, to signing in, where it waited for its session.
    assert answered(lambda: browser.post(retire).status_code, lambda: ends(cast.dave), cast) in {302, 403}
    with inside(cast.alice):
        assert Server.objects.get().retired_at is None


@pytest.mark.parametrize(("who", "status"), [("dave", 404), ("bob", 201)])
def test_a_member_who_is_removed_beside_a_request(
    cast: Cast,
    acme: Acme,
    api_key: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    status: int,
) -> None:
    """Whoever removes them does not wait for what Dave's key asks, which may wait for the removal in turn.

    The key is used for the first time, and an answer that Bob once got is so old that it is forgotten.
    """
    asked = {"name": "Mine", "upstream_url": "https://x.example/mcp"}
    bearer = f"Bearer {api_key(cast.dave, 'servers:write')}"
    _was_answered_long_ago(cast.bob)
    registering = Halt()
    monkeypatch.setattr(servers.services, "leave_room", registering.before(leave_room))
    said: list[str] = []
    came: list[int] = []

    def register() -> None:
        by_daves_key = Client(headers={"Authorization": bearer, "Idempotency-Key": "one"})
        came.append(by_daves_key.post("/api/v1/servers/", asked, "application/json").status_code)

    asking = in_a_thread(register, said)
    assert registering.reached.wait(60)
    remove = inside_of(cast.alice, lambda: remove_member(cast.alice, cast.everyone()[who]))
    removing = in_a_thread(remove, said)
    until(lambda: somebody_waits_for_us() or not removing.is_alive())
    registering.may_go_on.set()
    asking.join()
    removing.join()
    assert said == ["done", "done"] and came == [status]


def _was_answered_long_ago(member: Membership) -> None:
    with inside(member):
        IdempotentAnswer.objects.create(
            organization_id=member.organization_id,
            member=member,
            key="old",
            created_at=timezone.now() - timedelta(days=2),
        )
