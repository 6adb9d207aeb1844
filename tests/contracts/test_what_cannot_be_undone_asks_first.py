"""Every form that removes something for good warns first: it is folded into a `<details>`, which also opens
without a script. Deleting an account, an organization or a second step has a page of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Membership
from accounts.services import create_api_key
from accounts.services.invitations import invite
from approvals.webhooks import add_webhook
from policies.kept_tests import keep_test
from policies.language.cases import PolicyTest
from policies.language.decision import ToolCall
from policies.services import publish_policy, save_draft
from tests.cast import Acme, Cast, confirm, inside
from tests.routes import routes

ENDS: Final = frozenset({"remove", "revoke", "withdraw", "retire", "leave", "discard", "drop", "delete"})
# For these, the GET is the page that asks first.
ASKS_ITSELF: Final = frozenset(
    {"/settings/delete/", "/account/delete/", "/accounts/2fa/webauthn/keys/<int:pk>/remove/"}
)


class Forms(HTMLParser):
    """The targets of forms that end something; `open`: those that are visible without being unfolded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.folds = 0
        self.all: set[str] = set()
        self.open: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.folds += tag == "details"
        action = (given.get("action") or "") if tag == "form" else given.get("name") or ""
        if (tag == "form" and _last(action) in ENDS) or (tag == "button" and action == "action_remove"):
            self.all.add(action)
            if not self.folds:
                self.open.add(action)

    def handle_endtag(self, tag: str) -> None:
        self.folds -= tag == "details"


def _last(path: str) -> str:
    return path.strip("/").rpartition("/")[2]


def test_nothing_is_ended_by_one_press(
    cast: Cast, acme: Acme, signed_in: Callable[[Membership], Client]
) -> None:
    confirm(cast.alice)
    EmailAddress.objects.create(user=cast.alice.user, email="second@example.com", verified=True)
    with inside(cast.alice):
        add_webhook(cast.alice, "https://hooks.example.com/", verified=True)
        create_api_key(cast.alice, "ci", ["logs:read"])
        invite(cast.alice, "erin@example.com", "viewer")
        publish_policy(cast.alice, acme.policy)
        save_draft(cast.alice, acme.policy, acme.policy.draft + "\n")
        keep_test(cast.alice, acme.policy, PolicyTest("keys", ToolCall("create_access_key"), "allow"))
    bob, seen = Forms(signed_in(cast.bob).get("/settings/").content.decode()), set[str]()
    # The only owner is not offered leaving, but Bob is.
    assert bob.open == set()
    assert bob.all == {"/settings/leave/"}
    alice = signed_in(cast.alice)
    for path in (
        "/settings/",
        "/settings/members/",
        "/settings/api-keys/",
        "/approvals/settings/",
        "/accounts/email/",
        f"/servers/{acme.server.public_id}/",
        f"/grants/{acme.grant.public_id}/",
        f"/policies/{acme.policy.public_id}/",
    ):
        answer = alice.get(path)
        assert answer.status_code == 200, path
        forms = Forms(answer.content.decode())
        assert forms.open == set(), path
        seen |= {re.sub("[a-z]{3}_[0-9a-z]{26}", "{id}", action) for action in forms.all}
    ends = {f"/{re.sub('{[a-z_]+}', '{id}', one.template)}" for one in routes() if not one.is_api}
    assert seen | bob.all == {path for path in ends if _last(path) in ENDS} - ASKS_ITSELF | {"action_remove"}
