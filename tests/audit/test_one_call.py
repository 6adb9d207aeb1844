"""What the page of one call says: its heading, the mark beside it, and what became of its approval."""

from __future__ import annotations

import pytest

from approvals.services import approve, decline
from tests.approvals.calls import fresh, waiting
from tests.audit.test_screens import happened, page
from tests.cast import Acme, Cast, inside
from tests.ladder import SignedIn


@pytest.mark.parametrize(
    ("code", "heading", "mark"),
    [
        ("default_deny", "was denied", "Denied"),
        ("limit_exceeded", "was held back", "Held back"),
        ("limiter_unavailable", "was held back", "Held back"),
        ("hidden", "is hidden", "Hidden"),
        ("approval_declined", "was declined", "Declined"),
        ("approval_expired", "was not approved in time", "Expired"),
    ],
)
def test_the_heading_of_a_call_says_the_same_as_the_mark_beside_it(
    code: str, heading: str, mark: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    shown = page(signed_in(cast.bob), f"/log/{happened(acme, code=code).public_id}/")
    assert f"delete_user {heading}</bdi></h1>" in shown
    assert f"<title>delete_user {heading} · PolicyLayer</title>" in shown and f"</svg>{mark}</span>" in shown


@pytest.mark.parametrize(("verb", "mark"), [(None, "Waiting"), (approve, "Approved"), (decline, "Declined")])
def test_a_call_that_asked_a_person_says_what_has_become_of_it(
    verb: object, mark: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    row = waiting(acme)
    record = happened(acme, outcome="approval", code="approval_required", approval_id=row.pk)
    if callable(verb):
        with inside(cast.carol):
            verb(cast.carol, fresh(cast.carol, row), "")
    bob = signed_in(cast.bob)
    alone, beside = page(bob, f"/log/{record.public_id}/"), page(bob, f"/log/?open={record.public_id}")
    listed = beside[beside.index('id="rows"') :]
    assert f"</svg>{mark}</span>" in listed[: listed.index("</a>")]
    assert "delete_user needs a person’s approval</bdi></h1>" in alone
    for shown in (alone, beside[beside.index("data-opened=") :]):
        assert f"</svg>{mark}</span>" in shown and "Waits for a person" not in shown
