"""The builder's pages: one act at a time, to the text that came with it, and nothing else changes."""

from __future__ import annotations

import pytest
from django.urls import reverse

from policies.models import Policy
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

KEY = "/tools/create_access_key"


def draft(cast: Cast, acme: Acme) -> str:
    with inside(cast.alice):
        return Policy.objects.get(pk=acme.policy.pk).draft


@pytest.mark.parametrize("view", ["", "?view=json", "?view=words", "?view=x&page=0&show=1", f"?open={KEY}"])
def test_every_view_shows(view: str, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    for who in (cast.carol, cast.bob):
        answer = signed_in(who).get(reverse("policies:editor", args=[acme.policy.public_id]) + view)
        assert answer.status_code == 200
        assert "If you publish this" in words(answer)


def test_a_verb_changes_its_row_and_nothing_else(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    answer = signed_in(cast.carol).post(
        reverse("policies:builder", args=[acme.policy.public_id]),
        {"do": "verb", "row": KEY, "verb": "approval", "version": "1", "document": POLICY},
        headers=HTMX,
    )
    assert answer.status_code == 200
    wanted = POLICY.replace(
        '"create_access_key": {', '"create_access_key": {\n      "action": "require_approval",'
    )
    assert draft(cast, acme) == wanted
    assert 'id="board"' in page(answer)
