"""The same is asked for several times at one moment: it happens once, is written down once, and nobody
meets an error of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import ApiKey, AuditEvent, Membership
from accounts.services import create_api_key, revoke_api_key
from approvals import notices, webhooks
from approvals.models import MailMuted, Webhook
from common.errors import DomainError, NotFound
from tests.approvals.test_at_once import at_once
from tests.cast import Cast, inside

pytestmark = pytest.mark.django_db(transaction=True)

CLICKS = 8


def clicked(by: Membership, act: Callable[[], object]) -> list[str]:
    """What each came to."""

    def run() -> str:
        try:
            with inside(by):
                act()
        except DomainError as refused:
            return type(refused).__name__
        return "done"

    return at_once(*[run] * CLICKS)


def written(by: Membership, verb: str) -> int:
    with inside(by):
        return AuditEvent.objects.filter(verb=verb).count()


def test_a_key_is_revoked_once(cast: Cast) -> None:
    with inside(cast.alice):
        key, _ = create_api_key(cast.alice, "old", ["logs:read"])
        found = [ApiKey.objects.get(pk=key.pk) for _ in range(CLICKS)]
    clicked(cast.alice, lambda: revoke_api_key(cast.alice, found.pop()))
    assert written(cast.alice, "api_key.revoked") == 1


def test_a_webhook_is_removed_once(cast: Cast) -> None:
    with inside(cast.alice):
        webhook, _ = webhooks.add_webhook(cast.alice, "https://x.example/hook", verified=True)
        found = [Webhook.objects.get(pk=webhook.pk) for _ in range(CLICKS)]
    said = clicked(cast.alice, lambda: webhooks.remove_webhook(cast.alice, found.pop()))
    assert sorted(said) == ["NotFound"] * (CLICKS - 1) + ["done"]
    assert written(cast.alice, "webhook.removed") == 1


def test_what_is_done_to_a_webhook_that_is_removed_meanwhile_finds_nothing(cast: Cast) -> None:
    with inside(cast.alice):
        webhook, _ = webhooks.add_webhook(cast.alice, "https://x.example/hook", verified=True)
        notice = webhooks.send_test(cast.alice, webhook)
        gone = Webhook.objects.get(pk=webhook.pk)
        webhooks.remove_webhook(cast.alice, webhook)
        for act in (
            lambda: webhooks.change_webhook(cast.alice, gone, enabled=False),
            lambda: webhooks.rotate_secret(cast.alice, gone),
            lambda: webhooks.send_test(cast.alice, gone),
            lambda: webhooks.redeliver(cast.alice, notice),
        ):
            with pytest.raises(NotFound):
                act()


def test_mail_is_muted_once(cast: Cast) -> None:
    assert set(clicked(cast.carol, lambda: notices.mute(cast.carol, True))) == {"done"}
    with inside(cast.carol):
        assert MailMuted.objects.count() == 1
