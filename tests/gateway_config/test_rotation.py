"""A new token for the same grant: the one before opens it for a while, then only the new one does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from common.errors import Conflict, InvalidInput
from common.tokens import token_hash
from gateway_config.models import ConfigRevision
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import load_organization
from policies.models import Grant
from policies.services import revoke_grant, rotate_grant
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, SignedIn, climb

Publish = Callable[[], ConfigRevision | None]


def opens(publish: Publish) -> dict[str, LoadedGrant]:
    """What a gateway opens now, by the hash of the token."""
    revision = publish()
    assert revision is not None
    loaded = load_organization(revision.body.encode())
    return {digest.hex(): grant for digest, grant in loaded.grants.items()}


def test_while_they_overlap_both_tokens_open_one_grant(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        grant, token = rotate_grant(cast.alice, acme.grant, 3600)
    found = opens(publish)
    before, after = found[token_hash(acme.token)], found[token_hash(token)]
    assert before.id == after.id == str(acme.grant.pk)
    assert after.expires_at is None
    assert grant.earlier_until is not None
    assert before.expires_at == int(grant.earlier_until.timestamp())


def test_without_an_overlap_the_one_before_opens_nothing(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        _, token = rotate_grant(cast.alice, acme.grant, 0)
    assert set(opens(publish)) == {token_hash(token)}


def test_of_three_tokens_the_first_is_gone(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        _, second = rotate_grant(cast.alice, acme.grant)
        _, third = rotate_grant(cast.alice, acme.grant)
    assert set(opens(publish)) == {token_hash(second), token_hash(third)}


def test_the_token_before_lives_no_longer_than_the_grant(cast: Cast, acme: Acme, publish: Publish) -> None:
    end = timezone.now() + timedelta(minutes=5)
    with inside(cast.alice):
        Grant.objects.filter(pk=acme.grant.pk).update(expires_at=end)
        rotate_grant(cast.alice, acme.grant, 86_400)
    assert {grant.expires_at for grant in opens(publish).values()} == {int(end.timestamp())}


def test_an_overlap_that_is_over_is_in_no_bundle(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        _, token = rotate_grant(cast.alice, acme.grant)
        Grant.objects.update(earlier_until=timezone.now() - timedelta(seconds=1))
    assert set(opens(publish)) == {token_hash(token)}


def test_revoking_ends_both(cast: Cast, acme: Acme, publish: Publish) -> None:
    with inside(cast.alice):
        rotate_grant(cast.alice, acme.grant)
        revoke_grant(cast.alice, acme.grant)
        with pytest.raises(Conflict, match="is revoked"):
            rotate_grant(cast.alice, acme.grant)
    assert opens(publish) == {}


@pytest.mark.parametrize("seconds", [-1, 604_801, 10**12])
def test_an_overlap_out_of_range_changes_nothing(seconds: int, cast: Cast, acme: Acme) -> None:
    with inside(cast.alice), pytest.raises(InvalidInput):
        rotate_grant(cast.alice, acme.grant, seconds)
    with inside(cast.alice):
        assert Grant.objects.get(pk=acme.grant.pk).token_hash == token_hash(acme.token)


def test_a_token_that_was_rotated_meanwhile_is_not_rotated_again(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        seen = Grant.objects.get(pk=acme.grant.pk)
        first, _ = rotate_grant(cast.alice, acme.grant, hint=seen.hint)
        with pytest.raises(Conflict, match="already rotated"):
            rotate_grant(cast.alice, seen, hint=seen.hint)
        now = Grant.objects.get(pk=acme.grant.pk)
    assert (now.token_hash, now.earlier_hash) == (first.token_hash, token_hash(acme.token))


# ---- the screen
def test_the_new_token_is_shown_once_with_every_snippet(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = f"/grants/{acme.grant.public_id}/rotate/"
    sent = {"hint": acme.grant.hint, "overlap": "3600"}
    climb(Door(path, "post", sent, barred=("bob", "carol")), cast, signed_in)
    with inside(cast.alice):
        grant = Grant.objects.get(pk=acme.grant.pk)
        assert AuditEvent.objects.filter(verb="grant.rotated").count() == 1
    assert grant.earlier_hash == token_hash(acme.token)
    again = signed_in(cast.alice).post(path, sent)
    assert again.status_code == 409 and "plg_" not in again.content.decode().replace(grant.hint, "")
    with inside(cast.alice):
        assert Grant.objects.get(pk=acme.grant.pk).token_hash == grant.token_hash
    shown = unescape(signed_in(cast.alice).post(path, sent | {"hint": grant.hint}).content.decode())
    assert "laptop has a new token" in shown and "mcp-remote" in shown


@pytest.mark.parametrize("sent", [{}, {"hint": "x"}, {"hint": "x", "overlap": "5"}, {"overlap": "3600"}])
def test_a_bad_form_rotates_nothing(
    sent: dict[str, str], cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.alice).post(f"/grants/{acme.grant.public_id}/rotate/", sent)
    assert answer.status_code == 422
    with inside(cast.alice):
        assert Grant.objects.get(pk=acme.grant.pk).rotated_at is None
