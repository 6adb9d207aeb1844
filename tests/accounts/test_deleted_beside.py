"""An organization is deleted while something of it is changed: the deletion gives way, and both are done."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from accounts.models import ApiKey, Membership, Organization
from accounts.services import create_api_key, revoke_api_key
from accounts.services.closing import delete_organization
from approvals import notices, services
from approvals.changes import keep
from approvals.models import Webhook
from approvals.notices import remind
from approvals.services import approve
from approvals.webhooks import add_webhook, change_webhook
from policies.models import Policy
from policies.services import save_draft
from servers.models import Server
from servers.services import change_server, start_scan, stop_scan
from tests.accounts.test_gone_meanwhile import inside_of
from tests.accounts.test_held_up_by_nobody import Halt
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import waiting
from tests.cast import Acme, Cast, confirm, inside
from tests.meanwhile import somebody_waits_for_us, until
from tests.roles import as_owner

pytestmark = pytest.mark.django_db(transaction=True)

VERBS: dict[str, Callable[[Membership, Acme], object]] = {
    "save a draft": lambda by, of: save_draft(by, Policy.objects.get(), "{}"),
    "change a server": lambda by, of: change_server(by, Server.objects.get(), name="Mine"),
    "stop a scan": lambda by, of: stop_scan(by, of.server),
    "change a webhook": lambda by, of: change_webhook(by, Webhook.objects.get(), enabled=False),
    "revoke a key": lambda by, of: revoke_api_key(by, ApiKey.objects.get()),
}


def _deleted_beside(cast: Cast, act: Callable[[], object], halt: Halt) -> list[str]:
    """What the act and the deletion say. The deletion begins while the act holds rows, and waits for them."""
    said: list[str] = []
    acting = in_a_thread(act, said)
    assert halt.reached.wait(60)
    deleting = in_a_thread(inside_of(cast.alice, lambda: delete_organization(cast.alice, "Acme")), said)
    until(somebody_waits_for_us)
    halt.may_go_on.set()
    acting.join()
    deleting.join()
    return said


def _is_gone(organization: UUID) -> bool:
    with as_owner():
        return not Organization.objects.filter(pk=organization).exists()


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_request_changes(cast: Cast, acme: Acme, verb: str) -> None:
    with inside(cast.alice):
        create_api_key(cast.alice, "ci", ["logs:read"])
        add_webhook(cast.alice, "https://x.example/hook", verified=True)
        start_scan(cast.alice, acme.server)
    ends = Halt()

    def request() -> None:
        with inside(cast.dave):
            VERBS[verb](cast.dave, acme)
            ends.before(lambda: None)()

    assert _deleted_beside(cast, request, ends) == ["done", "done"]
    assert _is_gone(cast.alice.organization_id)


@pytest.mark.parametrize("verb", [approve, remind])
def test_the_answer_to_a_call_that_waits(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch, verb: Callable[..., object]
) -> None:
    confirm(cast.alice)
    row, keeping = waiting(acme), Halt()
    monkeypatch.setattr(services, "keep", keeping.before(keep))
    monkeypatch.setattr(notices, "addressees", keeping.before(notices.addressees))

    assert (
        _deleted_beside(cast, inside_of(cast.carol, lambda: verb(cast.carol, row)), keeping) == ["done"] * 2
    )
    assert _is_gone(cast.alice.organization_id)
