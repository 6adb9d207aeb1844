"""A webhook is removed while something is told to it: both are done, and nothing is left to be sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from approvals.models import Notice, Webhook
from approvals.webhooks import add_webhook, remove_webhook
from policies.services import publish_policy
from tests.accounts.test_held_up_by_nobody import Halt
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import ask
from tests.cast import Acme, Cast, inside
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)


def _side_by_side(first: Callable[[], object], second: Callable[[], object], ends: Halt) -> list[str]:
    """What both say; the second begins when all that the first does is to end."""
    said: list[str] = []
    one = in_a_thread(first, said)
    assert ends.reached.wait(60)
    other = in_a_thread(second, said)
    until(lambda: somebody_waits_for_us() or not other.is_alive())
    ends.may_go_on.set()
    one.join()
    other.join()
    return said


@pytest.mark.parametrize("first", ["told", "removed"])
@pytest.mark.parametrize("news", ["a call begins to wait", "a policy is published"])
def test_both_are_done(cast: Cast, acme: Acme, news: str, first: str) -> None:
    with inside(cast.alice):
        webhook, _ = add_webhook(cast.alice, "https://x.example/hook", verified=True)
    ends = Halt()
    end = ends.before(lambda: None)

    def told() -> None:
        with inside(cast.alice):
            if news == "a policy is published":
                publish_policy(cast.alice, acme.policy)
            else:
                ask(acme.grant, {"user_name": "bob"})
            if first == "told":
                end()

    def removed() -> None:
        with inside(cast.alice):
            remove_webhook(cast.alice, webhook)
            if first == "removed":
                end()

    acts = (told, removed) if first == "told" else (removed, told)
    assert _side_by_side(*acts, ends) == ["done", "done"]
    with inside(cast.alice):
        assert not Webhook.objects.exists() and not Notice.objects.exists()
