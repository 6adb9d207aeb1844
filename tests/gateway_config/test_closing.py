"""A deleted organization is closed at its gateways: announced, signed, taken, and never brought back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.apps import apps
from django.db import DatabaseError, ProgrammingError, transaction
from django.utils import timezone

from accounts.models import Organization
from accounts.tenancy import OrganizationOwned, organization_context
from common.events import organization_closed
from gateway.config_store import ConfigStore
from gateway_config.closing import KEPT, announce, close_organization, forget_long_closed
from gateway_config.models import ClosedOrganization, ConfigRevision, NumberFloor, Worker
from gateway_config.tasks import publish_overdue, signing_key, sweep
from gateway_config.wire.messages import Hello, SignedBundle
from gateway_config.wire.signing import SigningKey, VerifyKeys, new_signing_key
from gateway_config.workers import heads_after, newest_bundle, note_worker
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker

Enrolled = Callable[[str], tuple[Worker, str]]


def delete(organization_id: UUID) -> None:
    with organization_context(organization_id):
        organization_closed.send(sender=None, organization_id=organization_id)
    erase(organization_id)


def erase(organization_id: UUID) -> None:
    with as_owner(), transaction.atomic():
        for model in apps.get_models():
            if issubclass(model, OrganizationOwned):
                rows = model.objects.filter(organization_id=organization_id)
                rows._raw_delete(rows.db)
        organizations = Organization.objects.filter(pk=organization_id)
        organizations._raw_delete(organizations.db)


def fetched(organization_id: UUID) -> SignedBundle:
    with as_worker():
        found = newest_bundle(organization_id)
    assert found is not None
    return found


def verify_keys() -> VerifyKeys:
    return VerifyKeys.parse(signing_key().verify_key())


async def enforced(folder: Path, *bundles: SignedBundle) -> ConfigStore:
    store = ConfigStore(folder, verify_keys())
    for bundle in bundles:
        assert (await store.apply(bundle)).state == "applied"
    return store


@pytest.mark.parametrize("how", [sweep, publish_overdue], ids=["the sweep", "without a broker"])
def test_a_deleted_organization_is_announced_however_it_was_deleted(
    cast: Cast, published: ConfigRevision, how: Callable[[], None]
) -> None:
    acme = cast.alice.organization_id
    with as_worker():
        cursor = heads_after(0).cursor
    delete(acme)
    with as_worker():
        how()
        told = heads_after(cursor)
        assert [head.organization for head in told.heads] == [str(acme)]
        assert told.heads[0].revision > published.number and told.cursor > cursor
        assert heads_after(told.cursor).heads == ()
        assert heads_after(0).heads == told.heads


def test_a_gateway_that_takes_the_closing_serves_nothing_and_keeps_nothing_to_go_back_to(
    acme: Acme, cast: Cast, published: ConfigRevision, tmp_path: Path
) -> None:
    organization, token = cast.alice.organization_id, bytes.fromhex(acme.grant.token_hash)
    before = fetched(organization)
    delete(organization)
    with as_worker():
        sweep()
    closing = fetched(organization)
    asyncio.run(_closes(tmp_path, before, closing, token))
    assert len(list(tmp_path.glob("*/*.bundle"))) == 1, "older copies, and the credentials in them, are gone"


async def _closes(folder: Path, before: SignedBundle, closing: SignedBundle, token: bytes) -> None:
    store = await enforced(folder, before)
    assert store.grant(token) is not None
    assert (await store.apply(closing)).state == "applied"
    assert store.grant(token) is None
    assert (await ConfigStore(folder, verify_keys()).apply(before)).state == "rejected"
    assert ConfigStore(folder, verify_keys()).grant(token) is None


def test_what_was_still_on_its_way_when_it_was_closed_is_outnumbered(
    cast: Cast, published: ConfigRevision, enrolled: Enrolled
) -> None:
    acme, worker = cast.alice.organization_id, enrolled("gw-1")[0]
    delete(acme)
    with as_worker():
        sweep()
        first = heads_after(0)
        note_worker(worker, Hello("1", {str(acme): first.heads[0].revision}))
        sweep()
        assert heads_after(0).heads == first.heads, "the worker has taken it"
        note_worker(worker, Hello("1", {str(acme): first.heads[0].revision + 7}))
        sweep()
        again = heads_after(first.cursor).heads
    assert [head.revision for head in again] == [first.heads[0].revision + 8]
    assert fetched(acme).envelope.revision == first.heads[0].revision + 8


def test_a_floor_of_a_restored_database_counts_for_the_closing_too(
    cast: Cast, published: ConfigRevision
) -> None:
    with as_worker():
        NumberFloor.objects.create(organization_id=cast.alice.organization_id, number=5_000)
    delete(cast.alice.organization_id)
    with as_worker():
        assert ClosedOrganization.objects.get().number > 5_000


def test_another_signing_key_signs_the_closing_again(cast: Cast, published: ConfigRevision) -> None:
    acme = cast.alice.organization_id
    delete(acme)
    with as_worker():
        announce(signing_key())
        before = heads_after(0)
        announce(signing_key())
        assert heads_after(0).heads == before.heads
        announce(SigningKey.parse(new_signing_key("next")))
        assert heads_after(before.cursor).heads == before.heads
    assert fetched(acme).envelope.key_id == "next"


def test_it_is_forgotten_when_every_lease_has_long_ended(cast: Cast, published: ConfigRevision) -> None:
    delete(cast.alice.organization_id)
    with as_worker():
        sweep()
        forget_long_closed()
        assert ClosedOrganization.objects.count() == 1
        ClosedOrganization.objects.update(closed_at=timezone.now() - KEPT)
        forget_long_closed()
        assert ClosedOrganization.objects.count() == 0 and heads_after(0).heads == ()


def test_the_application_closes_its_own_organization_and_no_other(cast: Cast) -> None:

    with inside(cast.alice):
        close_organization(cast.alice.organization_id)
        with pytest.raises(ProgrammingError), transaction.atomic():
            close_organization(cast.mallory.organization_id)


def test_an_organization_whose_gateways_will_not_hear_of_it_cannot_be_deleted(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="its gateways would go on serving it"), transaction.atomic():
        erase(cast.alice.organization_id)
