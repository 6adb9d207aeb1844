"""From a change to a signed bundle: nothing lost, nothing twice, nothing that a gateway would refuse."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone

from common.alone import PUBLISHING
from gateway.credentials import upstream_secrets
from gateway_config import tasks
from gateway_config.build import bundle_keys
from gateway_config.models import ConfigRevision, NumberFloor, PublishRequest
from gateway_config.services import deliver, request_publish, waiting_organizations
from gateway_config.tasks import publish_overdue, signing_key, sweep
from gateway_config.wire.loader import load_organization
from gateway_config.wire.mirrored import MirroredArgument
from gateway_config.wire.signing import SigningKey, VerifyKeys, new_signing_key, verify
from gateway_config.workers import newest_bundle
from policies.models import Policy, PolicyRevision
from policies.services import publish_policy, revoke_grant
from servers.models import ToolScan
from servers.services import change_server, retire_server
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker, elsewhere

Publish = Callable[[], ConfigRevision | None]


def waiting(cast: Cast) -> int:
    with inside(cast.alice):
        return PublishRequest.objects.filter(done_at=None).count()


def test_a_published_policy_leaves_exactly_one_request(cast: Cast, acme: Acme, publish: Publish) -> None:
    publish()
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    assert waiting(cast) == 1


def test_a_change_that_is_taken_back_leaves_no_request(cast: Cast, acme: Acme, publish: Publish) -> None:
    publish()
    with pytest.raises(ZeroDivisionError), inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        raise ZeroDivisionError
    assert waiting(cast) == 0


def test_the_bundle_is_signed_for_its_organization_and_loads(
    cast: Cast, published: ConfigRevision, acme: Acme
) -> None:
    with as_worker():
        signed = newest_bundle(cast.alice.organization_id)
    assert signed is not None
    verify(signed.envelope, signed.body.encode(), VerifyKeys.parse(signing_key().verify_key()))
    loaded = load_organization(signed.body.encode())
    grant = loaded.grants[bytes.fromhex(acme.grant.token_hash)]
    assert signed.envelope.organization == loaded.organization == str(cast.alice.organization_id)
    assert grant.id == str(acme.grant.pk) and grant.compiled is not None


def test_changes_that_came_together_become_one_revision(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish
) -> None:
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name="One")
        change_server(cast.alice, acme.server, name="Two")
    revision = publish()
    assert revision is not None and revision.number == published.number + 1
    assert '"Two"' in revision.body
    assert waiting(cast) == 0 and publish() is None


def test_the_same_content_makes_no_new_revision(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish
) -> None:
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name=acme.server.name)
    assert publish() is None
    assert waiting(cast) == 0


def test_a_credential_that_did_not_change_keeps_its_sealed_text(
    cast: Cast, acme: Acme, publish: Publish
) -> None:
    def sealed(revision: ConfigRevision | None) -> str | None:
        assert revision is not None
        return load_organization(revision.body.encode()).servers[str(acme.server.pk)].credentials

    with inside(cast.alice):
        change_server(cast.alice, acme.server, headers={"Authorization": "Bearer first"})
    first = sealed(publish())
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name="Renamed")
    second = sealed(publish())
    with inside(cast.alice):
        change_server(cast.alice, acme.server, headers={"Authorization": "Bearer second"})
    third = sealed(publish())
    assert first == second != third
    assert first is not None and "first" not in first


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer hidden"}])
@pytest.mark.parametrize(
    ("place", "onwards"),
    [
        ("https://iam.example.com/mcp", "?key=canary7Of9a&b=%2f"),
        ("https://iam.example.com/api/", "canary7Of9a/mcp"),
        ("https://iam.example.com/api/", "canary7Of9a/mcp/?b=%2f"),
    ],
)
def test_what_may_be_a_key_in_a_servers_address_is_sealed_with_its_credentials(
    cast: Cast, acme: Acme, publish: Publish, headers: dict[str, str], place: str, onwards: str
) -> None:
    with inside(cast.alice):
        change_server(cast.alice, acme.server, upstream_url=place + onwards, headers=headers)
    revision = publish()
    assert revision is not None and "canary7Of9a" not in revision.body
    server = load_organization(revision.body.encode()).servers[str(acme.server.pk)]
    assert server.upstream_url == place
    organization = str(acme.server.organization_id)
    assert upstream_secrets(bundle_keys(), organization, server.id, server.credentials) == (headers, onwards)
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name=acme.server.name)
    assert publish() is None, "sealed again it would be another revision"


def test_a_query_goes_on_where_the_credential_does_not_open(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        url = "https://iam.example.com/mcp?key=canary"
        change_server(cast.alice, acme.server, upstream_url=url, headers={"Authorization": "Bearer hidden"})
        acme.server.credential.sealed = "v1.gone.AAAA.AAAA"
        acme.server.credential.save()
    revision = publish()
    assert revision is not None
    server = load_organization(revision.body.encode()).servers[str(acme.server.pk)]
    organization = str(acme.server.organization_id)
    assert upstream_secrets(bundle_keys(), organization, server.id, server.credentials) == ({}, "?key=canary")


def test_a_revoked_grant_and_a_retired_server_are_in_no_bundle(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish
) -> None:
    with inside(cast.alice):
        revoke_grant(cast.alice, acme.grant)
    after = publish()
    assert after is not None and acme.grant.token_hash not in after.body
    with inside(cast.alice):
        retire_server(cast.alice, acme.server)
    after = publish()
    assert after is not None and str(acme.server.pk) not in after.body


def test_an_expiring_grant_carries_its_end(cast: Cast, acme: Acme, publish: Publish) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    with inside(cast.alice):
        acme.grant.expires_at = soon
        acme.grant.save()
    revision = publish()
    assert revision is not None
    loaded = load_organization(revision.body.encode())
    assert loaded.grants[bytes.fromhex(acme.grant.token_hash)].expires_at == int(soon.timestamp())


@pytest.mark.parametrize(
    ("spoken", "told"), [("2025-06-18", ("2025-06-18",)), ("2026-07-28", ()), ("1999-01-01", ())]
)
def test_gateways_learn_that_a_server_speaks_only_older_revisions(
    cast: Cast, acme: Acme, publish: Publish, spoken: str, told: tuple[str, ...]
) -> None:
    with inside(cast.alice):
        ToolScan.objects.create(
            organization_id=acme.server.organization_id,
            server=acme.server,
            state=ToolScan.State.DONE,
            protocol_version=spoken,
        )
        change_server(cast.alice, acme.server, name="Renamed")
    publish()
    with as_worker():
        signed = newest_bundle(cast.alice.organization_id)
    assert signed is not None
    loaded = load_organization(signed.body.encode())
    assert loaded.servers[str(acme.server.pk)].revisions == told


def test_a_bundle_holds_nothing_of_anybody_else(cast: Cast, published: ConfigRevision) -> None:
    assert str(cast.mallory.organization_id) not in published.body
    with as_worker():
        other = deliver(cast.mallory.organization_id, signing_key())
    assert other is None, "Umbra announced nothing"


def test_a_broker_that_is_down_fails_no_change(
    cast: Cast,
    acme: Acme,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    def down(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("config.celery.app.send_task", down)
    with django_capture_on_commit_callbacks(execute=True), inside(cast.alice):  # type: ignore[attr-defined]
        publish_policy(cast.alice, acme.policy)
    assert waiting(cast) > 0


def test_a_lost_message_is_started_by_the_sweep(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr("config.celery.app.send_task", lambda _, given: started.extend(given))
    with as_worker():
        PublishRequest.objects.update(created_at=timezone.now() + timedelta(minutes=1))
        sweep()
        assert started == [], "what was just announced has a message on its way"
        PublishRequest.objects.update(created_at=timezone.now() - timedelta(seconds=2))
        sweep()
    assert started == [str(cast.alice.organization_id)]


def test_without_a_broker_what_waits_too_long_is_published_all_the_same(cast: Cast, acme: Acme) -> None:
    with as_worker():
        PublishRequest.objects.update(created_at=F("created_at") - timedelta(seconds=4))
        publish_overdue()
        assert ConfigRevision.objects.filter(organization_id=cast.alice.organization_id).count() == 1


def test_a_delivery_that_was_not_heard_of_is_started_again(cast: Cast, acme: Acme) -> None:
    with as_worker():
        PublishRequest.objects.update(delivered_at=timezone.now() - timedelta(seconds=6), deliveries=1)
        lost = waiting_organizations(never_taken_up=timedelta(seconds=1), not_heard_of=timedelta(seconds=5))
    assert lost == [cast.alice.organization_id]


def spoil(policy: Policy) -> None:
    """Past every check, as only an owner of the database could."""
    with as_owner():
        PolicyRevision.objects.filter(policy=policy).update(document='{"version": "9"}')


def test_a_bundle_that_would_not_load_is_not_signed(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    spoil(acme.policy)
    assert publish() is None
    with as_worker():
        assert ConfigRevision.objects.get().pk == published.pk
    assert "nothing was published" in caplog.text


def test_after_three_deliveries_it_is_a_dead_letter_with_an_alert(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    spoil(acme.policy)
    for _ in range(5):
        publish()
    with inside(cast.alice):
        letter = PublishRequest.objects.get(done_at=None)
    assert letter.deliveries == 3 and letter.dead_at is not None
    assert "BundleInvalid" in letter.error and "cannot be loaded" in letter.error
    assert [r.levelno for r in caplog.records if "given up" in r.message] == [logging.ERROR]


def test_a_process_that_dies_while_publishing_is_counted_too(
    cast: Cast, acme: Acme, publish: Publish
) -> None:
    with as_worker():
        PublishRequest.objects.update(deliveries=3)
    assert publish() is None
    with inside(cast.alice):
        assert PublishRequest.objects.filter(dead_at=None).count() == 0


def test_the_next_change_tries_again_and_settles_the_dead_letter(
    cast: Cast, acme: Acme, publish: Publish
) -> None:
    with as_worker():
        PublishRequest.objects.update(deliveries=3)
    publish()
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name="Renamed")
    assert publish() is not None
    assert waiting(cast) == 0


def test_numbers_rise_above_what_a_worker_ever_took(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish
) -> None:
    with as_worker():
        NumberFloor.objects.create(organization_id=cast.alice.organization_id, number=40)
        PublishRequest.objects.create(organization_id=cast.alice.organization_id)
    again = publish()
    assert again is not None and again.number == 41
    assert again.hash == published.hash, "the same content, but a number the workers take"


def test_a_new_signing_key_signs_what_is_in_force(cast: Cast, acme: Acme, published: ConfigRevision) -> None:
    fresh = SigningKey.parse(new_signing_key("k2"))
    with as_worker():
        PublishRequest.objects.create(organization_id=cast.alice.organization_id)
        again = deliver(cast.alice.organization_id, fresh)
    assert again is not None and again.envelope["key_id"] == "k2"


def test_old_revisions_are_thrown_away(
    cast: Cast, acme: Acme, published: ConfigRevision, publish: Publish
) -> None:
    for number in range(25):
        with inside(cast.alice):
            change_server(cast.alice, acme.server, name=f"Name {number}")
        publish()
    with as_worker():
        kept = list(ConfigRevision.objects.order_by("number").values_list("number", flat=True))
    assert len(kept) == 20 and kept[-1] == published.number + 25


def test_a_credential_that_does_not_open_holds_back_nobody_elses_revocation(
    cast: Cast, acme: Acme, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    with inside(cast.alice):
        change_server(cast.alice, acme.server, headers={"Authorization": "Bearer hidden"})
        acme.server.credential.sealed = "v1.gone.AAAA.AAAA"
        acme.server.credential.save()
    revision = publish()
    assert revision is not None
    assert load_organization(revision.body.encode()).servers[str(acme.server.pk)].credentials is None
    assert "does not open" in caplog.text and "hidden" not in caplog.text


def test_an_organization_that_somebody_else_is_long_at_holds_back_no_other(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with inside(cast.mallory):
        request_publish(cast.mallory.organization_id)
    done = []

    def taken(organization_id: UUID, key: object) -> None:
        done.append(organization_id)
        if len(done) == 1:
            raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(tasks, "deliver", taken)
    with as_worker():
        PublishRequest.objects.update(created_at=timezone.now() - timedelta(minutes=1))
        tasks.publish_overdue()
    assert set(done) == {cast.alice.organization_id, cast.mallory.organization_id}


def test_nobody_waits_for_who_is_publishing_already(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    with elsewhere(PUBLISHING, str(cast.alice.organization_id)):
        began = time.monotonic()
        assert publish() is None and time.monotonic() - began < 5
    assert publish() is not None


def test_who_publishes_sees_to_what_came_meanwhile(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    came: list[PublishRequest] = []

    def another_comes(execute: Callable[..., object], sql: str, *rest: Any) -> object:
        if sql.startswith('INSERT INTO "gateway_config_configrevision"') and not came:
            came.append(PublishRequest.objects.create(organization_id=cast.alice.organization_id))
        return execute(sql, *rest)

    with connection.execute_wrapper(another_comes):
        assert publish() is not None
    assert came and waiting(cast) == 0


def test_what_a_tool_repeats_in_headers_travels_with_it(cast: Cast, acme: Acme, publish: Publish) -> None:
    annotated = {"type": "object", "properties": {"user_name": {"type": "string", "x-mcp-header": "User"}}}
    with inside(cast.alice):
        acme.server.tools.filter(name="delete_user").update(input_schema=annotated)
        publish_policy(cast.alice, acme.policy)
    publish()
    with as_worker():
        signed = newest_bundle(cast.alice.organization_id)
    assert signed is not None
    tools = load_organization(signed.body.encode()).servers[str(acme.server.pk)].tools
    assert tools["delete_user"].mirrored == (MirroredArgument("User", ("user_name",), "string"),)
    assert tools["create_access_key"].mirrored == ()
