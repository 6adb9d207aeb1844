"""Many grants are built, stored and sent in parts; what did not change is not built again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services.closing import delete_organization
from common.tokens import token_digest, token_hash
from gateway_config import grants as built
from gateway_config.models import ConfigRevision, GrantChange, GrantPart
from gateway_config.services import request_publish
from gateway_config.wire.codec import decode_bundle
from gateway_config.wire.grants import LoadedGrant, load_part
from gateway_config.wire.loader import LoadedOrganization, load_organization
from gateway_config.workers import grant_part, newest_bundle
from policies.models import Grant
from policies.services import move_grant, publish_policy, revoke_grant, rotate_grant, save_draft
from servers.services import change_server, register_server, retire_server
from tests.cast import POLICY, Acme, Cast, inside
from tests.gateway_config.test_internal_api import INTERNAL, Gateway
from tests.roles import as_owner, as_worker

Publish = Callable[[], ConfigRevision | None]


@pytest.fixture(autouse=True)
def few_are_many() -> Iterable[None]:
    with patch.object(built, "MOST_IN_A_BUNDLE", 40), patch.object(built, "FEWEST_IN_PARTS", 20):
        yield


def issue(acme: Acme, how_many: int, first: int = 0) -> list[Grant]:
    server, policy = acme.server, acme.policy
    return Grant.objects.bulk_create(
        Grant(
            organization_id=server.organization_id,
            server=server,
            policy=policy,
            label=f"agent {number}",
            token_hash=token_hash(f"agent {number}"),
            hint="plg_0000",
        )
        for number in range(first, first + how_many)
    )


@pytest.fixture
def many(cast: Cast, acme: Acme, publish: Publish) -> list[Grant]:
    """A hundred beside the first, published."""
    with inside(cast.alice):
        grants = issue(acme, 100)
        publish_policy(cast.alice, acme.policy)
    assert publish() is not None
    return grants


def in_force(cast: Cast) -> LoadedOrganization:
    """As a gateway reads it that holds nothing."""
    organization = cast.alice.organization_id
    with as_worker():
        signed = newest_bundle(organization)
        assert signed is not None
        digests = decode_bundle(signed.body.encode()).parts or ()
        bodies = [body for digest in digests if (body := grant_part(organization, digest)) is not None]
    parts = [load_part(body.encode()) for body in bodies]
    return load_organization(signed.body.encode(), {part.digest: part for part in parts})


def opened(cast: Cast, token: str) -> LoadedGrant | None:
    return in_force(cast).grants.get(token_digest(token))


def digests(cast: Cast) -> tuple[str, ...]:
    with as_worker():
        newest = ConfigRevision.objects.filter(organization_id=cast.alice.organization_id).latest("number")
        return tuple(newest.parts)


def changes() -> int:
    with as_worker():
        return GrantChange.objects.count()


def test_all_of_them_are_there_in_parts(cast: Cast, acme: Acme, many: list[Grant]) -> None:
    assert len(digests(cast)) == 4
    loaded = in_force(cast)
    assert {grant.id for grant in loaded.grants.values()} == {str(one.pk) for one in (*many, acme.grant)}
    assert {grant.policy_number for grant in loaded.grants.values()} == {1}
    assert changes() == 0


def test_an_edit_of_a_policy_reads_no_grant_and_takes_force_for_all(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    before = digests(cast)
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY.replace("30", "31"))
        publish_policy(cast.alice, acme.policy)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert publish() is not None
    assert not [query for query in asked.captured_queries if 'FROM "policies_grant"' in query["sql"]]
    assert digests(cast) == before
    assert {grant.policy_number for grant in in_force(cast).grants.values()} == {2}


def test_a_revoked_grant_is_gone_with_one_new_part(cast: Cast, many: list[Grant], publish: Publish) -> None:
    before = digests(cast)
    with inside(cast.alice):
        revoke_grant(cast.alice, many[7])
    assert publish() is not None
    assert len(set(digests(cast)) - set(before)) == 1
    assert opened(cast, "agent 7") is None and opened(cast, "agent 8") is not None
    assert changes() == 0


def test_a_new_grant_and_a_rotated_one_are_found_by_their_tokens(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with inside(cast.alice):
        issue(acme, 1, first=500)
        _, token = rotate_grant(cast.alice, many[3], 3600)
        request_publish(cast.alice.organization_id)
    publish()
    assert opened(cast, "agent 500") is not None
    first, second = opened(cast, "agent 3"), opened(cast, token)
    assert first and second and first.id == second.id == str(many[3].pk)
    assert first.expires_at is not None and second.expires_at is None


def test_what_ended_meanwhile_is_left_out_by_the_next_edit(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with inside(cast.alice):
        Grant.objects.filter(pk=many[5].pk).update(expires_at=timezone.now() + timedelta(hours=1))
        request_publish(cast.alice.organization_id)
    publish()
    found = opened(cast, "agent 5")
    assert found and found.expires_at is not None
    with patch("gateway_config.grants.timezone.now", return_value=timezone.now() + timedelta(hours=2)):
        with inside(cast.alice):
            request_publish(cast.alice.organization_id)
        publish()
    assert opened(cast, "agent 5") is None


def test_another_policy_for_one_grant_is_another_kind(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with inside(cast.alice):
        move_grant(cast.alice, many[9], None)
    publish()
    found = opened(cast, "agent 9")
    assert found is not None and found.policy_id is None


@pytest.mark.parametrize("role", ["owner", "application", "worker"])
def test_whoever_changes_a_grant_and_however_it_is_noted(
    cast: Cast, many: list[Grant], publish: Publish, role: str
) -> None:
    """Also past every service: what stands in the table is what gateways get."""
    revoked = timezone.now()
    with inside(cast.alice):
        if role == "owner":
            with as_owner():
                Grant._base_manager.filter(pk=many[1].pk).update(revoked_at=revoked)
        elif role == "application":
            Grant.objects.filter(pk=many[1].pk).update(revoked_at=revoked)
    if role == "worker":
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("GRANT UPDATE ON policies_grant TO policylayer_worker")
        with as_worker():
            Grant.objects.filter(pk=many[1].pk).update(revoked_at=revoked)
    with inside(cast.alice):
        request_publish(cast.alice.organization_id)
    publish()
    assert opened(cast, "agent 1") is None


def test_use_of_a_grant_is_no_change_of_it(cast: Cast, many: list[Grant], publish: Publish) -> None:
    with inside(cast.alice):
        Grant.objects.update(last_used_at=timezone.now(), label="renamed")
        request_publish(cast.alice.organization_id)
    assert changes() == 0
    assert publish() is None


def test_a_change_that_comes_while_a_bundle_is_built_waits_for_the_next(
    cast: Cast, many: list[Grant], publish: Publish
) -> None:
    read = built.changes_of

    def then_one_more(organization_id: UUID) -> built.Changes:
        found = read(organization_id)
        with as_owner(), inside(cast.alice):
            Grant._base_manager.filter(pk=many[2].pk).update(revoked_at=timezone.now())
        return found

    with inside(cast.alice):
        revoke_grant(cast.alice, many[4])
    with patch("gateway_config.services.changes_of", then_one_more):
        publish()
    assert changes() == 1
    with inside(cast.alice):
        request_publish(cast.alice.organization_id)
    publish()
    assert opened(cast, "agent 2") is None and opened(cast, "agent 4") is None and changes() == 0


def test_a_publication_that_fails_forgets_no_change(cast: Cast, many: list[Grant], publish: Publish) -> None:
    with inside(cast.alice):
        revoke_grant(cast.alice, many[4])
    with patch("gateway_config.services.check_loads", side_effect=OSError):
        assert publish() is None
    assert changes() == 1
    publish()
    assert opened(cast, "agent 4") is None


def test_a_retired_servers_grants_leave_their_parts(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with inside(cast.alice):
        other = register_server(cast.alice, "Other", "http://127.0.0.1:9/other")
        Grant.objects.filter(pk__in=[one.pk for one in many[:60]]).update(server=other, policy=None)
        request_publish(cast.alice.organization_id)
    publish()
    with inside(cast.alice):
        retire_server(cast.alice, other)
    publish()
    assert len(in_force(cast).grants) == 41
    with as_worker():
        kinds = GrantPart.objects.filter(digest__in=digests(cast)).values_list("kinds", flat=True)
        assert {server for some in kinds for server, _ in some} == {str(acme.server.pk)}


def test_few_again_they_stand_in_the_bundle(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with inside(cast.alice):
        Grant.objects.filter(pk__in=[one.pk for one in many[:70]]).update(revoked_at=timezone.now())
        request_publish(cast.alice.organization_id)
    publish()
    assert len(digests(cast)) > 0, "about one number they do not go to and fro"
    with inside(cast.alice):
        Grant.objects.filter(pk__in=[one.pk for one in many[70:90]]).update(revoked_at=timezone.now())
        request_publish(cast.alice.organization_id)
    publish()
    assert digests(cast) == () and len(in_force(cast).grants) == 11
    with patch("gateway_config.services.KEPT_REVISIONS", 1):
        with inside(cast.alice):
            change_server(cast.alice, acme.server, name="Renamed")
        publish()
    with as_worker():
        assert GrantPart.objects.count() == 0


def test_parts_that_no_kept_revision_names_are_let_go_of(
    cast: Cast, many: list[Grant], publish: Publish
) -> None:
    with patch("gateway_config.services.KEPT_REVISIONS", 2):
        for grant in many[:5]:
            with inside(cast.alice):
                revoke_grant(cast.alice, grant)
            publish()
    with as_worker():
        named = {
            digest for parts in ConfigRevision.objects.values_list("parts", flat=True) for digest in parts
        }
        assert set(GrantPart.objects.values_list("digest", flat=True)) == named


def test_a_part_that_was_lost_is_built_again(
    cast: Cast, acme: Acme, many: list[Grant], publish: Publish
) -> None:
    with as_worker():
        GrantPart.objects.filter(digest=digests(cast)[0]).delete()
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY.replace("30", "31"))
        publish_policy(cast.alice, acme.policy)
    publish()
    assert len(in_force(cast).grants) == 101


def test_an_organization_with_parts_can_be_deleted(cast: Cast, many: list[Grant], publish: Publish) -> None:
    with inside(cast.alice):
        revoke_grant(cast.alice, many[0])
    with inside(cast.alice):
        delete_organization(cast.alice, "Acme")
    with as_worker():
        assert (GrantPart.objects.count(), GrantChange.objects.count()) == (0, 0)


@INTERNAL
def test_a_worker_fetches_a_part_by_its_digest_and_only_of_its_organization(
    cast: Cast, many: list[Grant], enrolled: Callable[..., tuple[object, str]]
) -> None:
    gateway, digest = Gateway(enrolled("gw-1")[1]), digests(cast)[0]
    answer = gateway.get(f"/internal/v1/bundles/{cast.alice.organization_id}/grants/{digest}/")
    assert load_part(answer.content).digest == digest
    for path in (
        f"/internal/v1/bundles/{cast.mallory.organization_id}/grants/{digest}/",
        f"/internal/v1/bundles/{cast.alice.organization_id}/grants/{'0' * 64}/",
        f"/internal/v1/bundles/{cast.alice.organization_id}/grants/%2e%2e/",
        f"/internal/v1/bundles/{cast.alice.organization_id}/grants/{'0' * 63}%00/",
        f"/internal/v1/bundles/{cast.alice.organization_id}/grants/{digest.upper()}/",
    ):
        assert gateway.get(path).status_code == 404
    assert (
        gateway.post(f"/internal/v1/bundles/{cast.alice.organization_id}/grants/{digest}/", []).status_code
        == 405
    )
