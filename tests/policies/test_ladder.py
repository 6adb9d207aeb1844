"""Every address of policies and grants: works, wrong role, stranger, anonymous, malformed, wrong method."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import reverse

from policies.services import publish_policy
from tests.cast import Acme, Cast, inside, make_acme, make_cast
from tests.policies.screens import SignedIn

pytestmark = pytest.mark.django_db

POLICY, GRANT = "policy", "grant"


@dataclass(frozen=True)
class Door:
    """`who` may not enter; empty where everybody of the organization may."""

    name: str
    method: str
    of: str
    who: str = ""
    number: bool = False
    good: int = 200

    def path(self, acme: Acme) -> str:
        ids = {POLICY: [acme.policy.public_id], GRANT: [acme.grant.public_id]}[self.of]
        return reverse(self.name, args=[*ids, 1] if self.number else ids)


DOORS = [
    Door("policies:editor", "get", POLICY),
    Door("policies:check", "post", POLICY, who="bob"),
    Door("policies:builder", "post", POLICY, who="bob", good=302),
    Door("policies:try", "post", POLICY),
    Door("policies:keep-test", "post", POLICY, who="bob", good=422),
    Door("policies:expect", "post", POLICY, who="bob", good=422),
    Door("policies:drop-test", "post", POLICY, who="bob", good=302),
    Door("policies:save", "post", POLICY, who="bob", good=302),
    Door("policies:paste", "post", POLICY, who="bob"),
    Door("policies:discard", "post", POLICY, who="bob", good=302),
    Door("policies:review", "get", POLICY),
    Door("policies:publish", "post", POLICY, who="bob", good=302),
    Door("policies:history", "get", POLICY),
    Door("policies:compare", "get", POLICY),
    Door("policies:revision", "get", POLICY, number=True),
    Door("policies:restore", "post", POLICY, who="bob", number=True, good=302),
    Door("policies:live", "get", POLICY, number=True),
    Door("policies:rollout", "get", POLICY, number=True),
    Door("grants:detail", "get", GRANT),
    Door("grants:move", "post", GRANT, who="bob", good=302),
    Door("grants:revoke", "post", GRANT, who="carol", good=302),
    Door("grants:first-call", "get", GRANT),
]
DATA = {"version": "1", "document": "{}", "note": "", "policy": "", "old": "1", "new": "1", "live": "1"}
each_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@pytest.fixture(scope="module")
def cast(rows_of_the_module: None) -> Cast:
    return make_cast()


@pytest.fixture(scope="module")
def acme(cast: Cast) -> Acme:
    return make_acme(cast)


@pytest.fixture(scope="module")
def published(cast: Cast, acme: Acme) -> Acme:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    return acme


@each_door
def test_it_works_for_who_may(door: Door, cast: Cast, published: Acme, signed_in: SignedIn) -> None:
    answer = getattr(signed_in(cast.dave), door.method)(door.path(published), DATA)
    assert answer.status_code == door.good


@each_door
def test_a_role_that_may_not_is_told_so(door: Door, cast: Cast, published: Acme, signed_in: SignedIn) -> None:
    if not door.who:
        assert getattr(signed_in(cast.bob), door.method)(door.path(published), DATA).status_code == 200
        return
    answer = getattr(signed_in(getattr(cast, door.who)), door.method)(door.path(published), DATA)
    assert answer.status_code == 403
    assert "needs the" in answer.content.decode()


@each_door
def test_a_stranger_finds_nothing(door: Door, cast: Cast, published: Acme, signed_in: SignedIn) -> None:
    answer = getattr(signed_in(cast.mallory), door.method)(door.path(published), DATA)
    assert answer.status_code == 404


@each_door
def test_the_anonymous_are_sent_to_sign_in(door: Door, published: Acme) -> None:
    answer = getattr(Client(), door.method)(door.path(published), DATA)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@each_door
def test_another_method_is_405(door: Door, cast: Cast, published: Acme, signed_in: SignedIn) -> None:
    # Who follows a link of the page that a tried call answers with comes to the editor, by a GET.
    other = (
        "put"
        if door.name in ("policies:try", "policies:paste")
        else "post"
        if door.method == "get"
        else "get"
    )
    assert getattr(signed_in(cast.alice), other)(door.path(published)).status_code == 405


@each_door
@pytest.mark.parametrize("bad", ["x", "pol_", "grt_0", "pol_" + "z" * 26, "%00", "grt_" + "0" * 26])
def test_no_id_that_is_none_breaks_it(
    door: Door, bad: str, cast: Cast, published: Acme, signed_in: SignedIn
) -> None:
    path = door.path(published)
    for known in (published.policy.public_id, published.grant.public_id):
        path = path.replace(known, bad)
    assert getattr(signed_in(cast.alice), door.method)(path, DATA).status_code == 404


@each_door
def test_odd_input_never_breaks_it(door: Door, cast: Cast, published: Acme, signed_in: SignedIn) -> None:
    sent = dict.fromkeys((*DATA, "on_top", "then", "page"), "\x00\U0001f600" + "9" * 400)
    answer = getattr(signed_in(cast.alice), door.method)(door.path(published), sent)
    assert answer.status_code < 500


@pytest.mark.parametrize("name", ["policies:list", "policies:create", "grants:list", "grants:issue"])
@pytest.mark.parametrize("query", ["", "?page=x&q=%00", "?q=%F0%9F%98%80&page=-1", "?server=srv_x"])
def test_lists_and_forms_answer_any_query(
    name: str, query: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    expected = 404 if "server" in query and ("create" in name or "issue" in name) else 200
    assert signed_in(cast.dave).get(reverse(name) + query).status_code == expected


@pytest.mark.parametrize(("name", "who"), [("policies:create", "bob"), ("grants:issue", "carol")])
def test_making_needs_the_role(name: str, who: str, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(getattr(cast, who))
    assert client.get(reverse(name)).status_code == 403
    assert client.post(reverse(name), {"server": acme.server.public_id}).status_code == 403


@pytest.mark.parametrize("name", ["policies:create", "grants:issue"])
def test_nothing_is_made_on_a_strangers_server(
    name: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.mallory)
    assert client.get(reverse(name), {"server": acme.server.public_id}).status_code == 404
    assert client.post(reverse(name), {"server": acme.server.public_id}).status_code == 404


@pytest.mark.parametrize("name", ["policies:list", "policies:create", "grants:list", "grants:issue"])
def test_no_page_is_for_the_anonymous(name: str, db: None) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", ["policies:list", "policies:create", "grants:list", "grants:issue"])
def test_no_page_takes_a_delete(name: str, cast: Cast, signed_in: SignedIn) -> None:
    assert signed_in(cast.alice).delete(reverse(name)).status_code == 405
