"""An organization is deleted while one of its calls begins to wait: both end, and nothing is left behind."""

from __future__ import annotations

import pytest

from accounts.models import Membership, Organization
from accounts.services.closing import delete_organization
from approvals.models import Approval
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import ask
from tests.cast import Acme, Cast, confirm, inside
from tests.meanwhile import somebody_waits_for_us, until
from tests.roles import as_owner

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_call_that_begins_to_wait_does_not_stop_it(cast: Cast, acme: Acme) -> None:
    confirm(cast.alice)
    said: list[str] = []
    with inside(cast.alice):
        # As its deletion begins: from here on, each of the two could wait for the other.
        held = Organization.objects.select_for_update().get(pk=cast.alice.organization_id)
        thread = in_a_thread(lambda: ask(acme.grant, {"user_name": "bob"}), said)
        until(somebody_waits_for_us)
        delete_organization(Membership.objects.get(pk=cast.alice.pk), held.name)
    thread.join()
    assert said == ["Refused: there is no such organization any more"]
    with as_owner():
        assert not Approval.objects.exists() and not Organization.objects.filter(name="Acme").exists()
