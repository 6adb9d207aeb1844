"""A link that lets one person in, once, and for as long as its sender could still send it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from html import unescape

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Invitation, Membership, OrganizationLimits
from accounts.services import memberships_of
from accounts.services.closing import delete_organization
from accounts.services.invitations import MOST_A_DAY, MOST_MAILS_EACH, accept, invite, offer, resend, withdraw
from accounts.services.members import change_role, remove_member
from accounts.services.organizations import found_another
from common.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from common.tokens import new_token
from tests.cast import PASSWORD, Cast, confirm, inside, person
from tests.roles import as_worker

ANSWER = "/invitations/answer/"


@pytest.fixture
def sender(cast: Cast) -> Membership:
    confirm(cast.alice)
    return cast.alice


def sent_token() -> str:
    found = re.search(r"/invitations/(pli_\w{33})/", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(1)


def invited(by: Membership, email: str = "erin@example.com", role: str = "policy_manager") -> str:
    with inside(by):
        invite(by, email, role)
    return sent_token()


def a_while_later() -> None:
    Invitation.objects.update(sent_at=timezone.now() - timedelta(minutes=2))


# ---- the verbs
def test_the_link_goes_to_the_mailbox_and_nowhere_else(cast: Cast, sender: Membership) -> None:
    token = invited(sender)
    assert mail.outbox[-1].to == ["erin@example.com"]
    assert "alice@example.com invites you to Acme" in str(mail.outbox[-1].body)
    with inside(sender):
        stored = str(list(Invitation.objects.values())) + str(list(AuditEvent.objects.values()))
    assert token not in stored and token[4:] not in stored


def test_a_link_lets_one_person_in_once(cast: Cast, sender: Membership) -> None:
    token = invited(sender)
    erin, frank = person("erin"), person("frank")
    member = accept(erin, token)
    assert (member.role, member.organization_id) == ("policy_manager", sender.organization_id)
    assert [one.organization_name for one in memberships_of(erin)] == ["Acme"]
    assert offer(token) is None
    with pytest.raises(NotFound, match="no longer valid"):
        accept(frank, token)
    assert memberships_of(frank) == []
    with inside(sender):
        event = AuditEvent.objects.get(verb="invitation.accepted")
    assert (event.actor_email, event.details["joined_as"]) == ("erin@example.com", "erin@example.com")


def test_a_link_waits_while_there_is_no_room_and_lets_in_when_there_is(
    cast: Cast, sender: Membership, client: Client
) -> None:
    token = invited(sender)
    erin = person("erin")
    with as_worker():
        OrganizationLimits.objects.create(organization_id=sender.organization_id, members=4)
    with pytest.raises(LimitReached, match="as many members as it may"):
        accept(erin, token)
    client.force_login(erin)
    client.get(f"/invitations/{token}/")
    said = client.post(ANSWER, {"answer": "join"}).content.decode()
    assert "Acme has as many members as it may" in said
    with inside(sender):
        remove_member(sender, cast.bob)
    assert accept(erin, token).organization_id == sender.organization_id


@pytest.mark.django_db(transaction=True)
def test_of_two_who_open_one_link_at_once_one_gets_in(cast: Cast, sender: Membership) -> None:
    token = invited(sender)
    people = [person("erin"), person("frank")]
    start, turned_away = threading.Barrier(2), []

    def go(number: int) -> None:
        try:
            start.wait()
            accept(people[number], token)
        except NotFound:
            turned_away.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(turned_away) == 1
    assert sorted(len(memberships_of(one)) for one in people) == [0, 1]


def test_a_link_ends_with_its_time_and_the_address_can_be_invited_again(
    cast: Cast, sender: Membership
) -> None:
    token = invited(sender)
    with inside(sender):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert offer(token) is None
    with pytest.raises(NotFound):
        accept(person("erin"), token)
    assert invited(sender) != token
    assert offer(sent_token()) is not None


def test_a_withdrawn_link_is_good_for_nothing(cast: Cast, sender: Membership) -> None:
    token = invited(sender)
    with inside(sender):
        withdraw(sender, Invitation.objects.get())
        for act in (withdraw, resend):
            with pytest.raises(Conflict, match="already withdrawn"):
                act(sender, Invitation.objects.get())
    assert offer(token) is None


def test_sending_again_makes_a_new_link_and_ends_the_old(cast: Cast, sender: Membership) -> None:
    old = invited(sender)
    with inside(sender):
        with pytest.raises(LimitReached, match="less than a minute ago"):
            resend(sender, Invitation.objects.get())
        for _ in range(MOST_MAILS_EACH - 1):
            a_while_later()
            resend(sender, Invitation.objects.get())
        a_while_later()
        with pytest.raises(LimitReached, match="It was sent 5 times"):
            resend(sender, Invitation.objects.get())
    assert offer(old) is None and offer(sent_token()) is not None
    assert len(mail.outbox) == MOST_MAILS_EACH


def test_a_link_holds_no_longer_than_its_senders_right_to_send_it(cast: Cast, sender: Membership) -> None:
    confirm(cast.dave)
    token = invited(cast.dave, role="admin")
    with inside(sender):
        change_role(sender, cast.dave, "policy_manager")
    assert offer(token) is None
    with inside(sender):
        change_role(sender, cast.dave, "admin")
    assert offer(token) is not None
    with inside(sender):
        remove_member(sender, cast.dave)
    with pytest.raises(NotFound):
        accept(person("erin"), token)


def test_an_admin_invites_no_owner_and_ends_no_owners_invitation(cast: Cast, sender: Membership) -> None:
    confirm(cast.dave)
    invited(sender, role="owner")
    with inside(cast.dave):
        for act in (
            lambda: invite(cast.dave, "x@example.com", "owner"),
            lambda: withdraw(cast.dave, Invitation.objects.get()),
            lambda: resend(cast.dave, Invitation.objects.get()),
        ):
            with pytest.raises(NotAllowed, match="Changing owners"):
                act()


def test_nobody_invites_before_their_own_address_is_confirmed(cast: Cast) -> None:
    with inside(cast.alice), pytest.raises(NotAllowed, match="Confirm your own e-mail address first"):
        invite(cast.alice, "erin@example.com", "viewer")
    assert mail.outbox == []


@pytest.mark.parametrize(
    "email", ["", "erin", "erin@", "a@b.example, c@d.example", "a@b.example\nBcc: x@y.z"]
)
def test_what_is_no_address_is_refused(email: str, cast: Cast, sender: Membership) -> None:
    with inside(sender), pytest.raises(InvalidInput):
        invite(sender, email, "viewer")
    assert mail.outbox == []


def test_a_member_or_an_invited_address_is_not_invited_twice(cast: Cast, sender: Membership) -> None:
    invited(sender)
    with inside(sender):
        for email, said in (("Erin@Example.com", "still valid"), ("bob@example.com", "already a member")):
            with pytest.raises(Conflict, match=said):
                invite(sender, email, "viewer")


def test_one_who_belongs_already_joins_no_second_time_and_spends_nothing(
    cast: Cast, sender: Membership
) -> None:
    token = invited(sender, role="admin")
    with pytest.raises(Conflict, match="You already belong to Acme"):
        accept(cast.bob.user, token)
    with inside(sender):
        assert Membership.objects.get(pk=cast.bob.pk).role == "viewer"
    assert offer(token) is not None


def test_so_many_invitations_a_day_and_no_more(
    cast: Cast, sender: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.services.invitations.MOST_A_DAY", 2)
    assert MOST_A_DAY == 50
    invited(sender, "a@example.com")
    invited(sender, "b@example.com")
    with pytest.raises(LimitReached, match="the most allowed"):
        invited(sender, "c@example.com")


def test_an_organization_that_is_deleted_makes_no_room_for_more_mails_of_its_founder(
    cast: Cast, sender: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr("accounts.services.invitations.MOST_MAILS_BY_ONE", 3)

    def founds_and_invites(email: str) -> None:
        founded = found_another(sender.user, "Buy pills")
        with inside(founded):
            invite(founded, email, "viewer")
            delete_organization(founded, "Buy pills")

    for number in range(3):
        founds_and_invites(f"stranger{number}@example.com")
    with pytest.raises(LimitReached, match="the most one person may send"):
        founds_and_invites("one-more@example.com")
    assert len(mail.outbox) == 3


def test_an_invitation_that_could_not_be_sent_was_not_made(
    cast: Cast, sender: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    with inside(sender):
        with pytest.raises(Conflict, match="nobody was invited"):
            invite(sender, "erin@example.com", "viewer")
        assert not Invitation.objects.exists()


def test_no_one_but_the_organization_sees_its_invitations(cast: Cast, sender: Membership) -> None:
    invited(sender)
    assert not Invitation.objects.exists()
    with inside(cast.mallory):
        assert not Invitation.objects.exists()
        with pytest.raises(NotFound):
            withdraw(cast.mallory, Invitation(pk=sender.pk))


# ---- the link, in a browser
def test_the_token_leaves_the_address_at_once(cast: Cast, sender: Membership, client: Client) -> None:
    token = invited(sender)
    answer = client.get(f"/invitations/{token}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, ANSWER)
    page = client.get(ANSWER)
    shown = unescape(page.content.decode())
    assert "alice@example.com" in shown and "policy manager" in shown and token not in shown
    assert "no-store" in page.headers["Cache-Control"]


def test_who_has_no_account_makes_one_and_is_asked_once_more(
    cast: Cast, sender: Membership, client: Client
) -> None:
    client.get(f"/invitations/{invited(sender)}/")
    to_sign_up = f"/accounts/signup/?next={ANSWER}&email=erin%40example.com"
    assert to_sign_up in unescape(client.get(ANSWER).content.decode())
    form = client.get(to_sign_up).content.decode()
    assert 'value="erin@example.com"' in form and "whether you want to join the one that invited you" in form
    sign_up = {"email": "erin@example.com", "password1": "correct horse battery", "next": ANSWER}
    assert client.post("/accounts/signup/", sign_up).headers["Location"] == ANSWER
    assert 'Join as <bdi class="line">erin@example.com' in client.get(ANSWER).content.decode()
    assert client.post(ANSWER, {"answer": "join"}).headers["Location"] == "/overview/"
    assert "Acme" in client.get("/settings/").content.decode()


def test_opening_a_link_joins_nobody_and_so_does_saying_no(
    cast: Cast, sender: Membership, client: Client
) -> None:
    erin = person("erin")
    client.force_login(erin, backend="allauth.account.auth_backends.AuthenticationBackend")
    token = invited(sender)
    client.get(f"/invitations/{token}/")
    client.get(ANSWER)
    client.post(ANSWER, {"answer": "no"})
    assert memberships_of(erin) == [] and offer(token) is not None


def test_a_link_under_another_account_says_whose_it_becomes(
    cast: Cast, sender: Membership, client: Client
) -> None:
    client.force_login(cast.mallory.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get(f"/invitations/{invited(sender)}/")
    shown = unescape(client.get(ANSWER).content.decode())
    assert "You are signed in as" in shown and 'Join as <bdi class="line">mallory@example.com' in shown
    assert 'Sign out and continue as <bdi class="line">erin@example.com' in shown


def test_under_another_account_one_signs_out_and_goes_on_as_who_was_invited(
    cast: Cast, sender: Membership, client: Client
) -> None:
    erin = person("erin")
    client.force_login(cast.mallory.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get(f"/invitations/{invited(sender)}/")
    assert client.post(ANSWER, {"answer": "switch"}).headers["Location"] == ANSWER
    assert client.get("/servers/").headers["Location"].startswith("/accounts/login/")
    to_sign_in = f"/accounts/login/?next={ANSWER}&email=erin%40example.com"
    assert to_sign_in in unescape(client.get(ANSWER).content.decode())
    assert 'value="erin@example.com"' in client.get(to_sign_in).content.decode()
    sign_in = {"login": "erin@example.com", "password": PASSWORD, "next": ANSWER}
    assert client.post("/accounts/login/", sign_in).headers["Location"] == ANSWER
    assert "You are signed in as" not in client.get(ANSWER).content.decode()
    client.post(ANSWER, {"answer": "join"})
    assert [one.organization_name for one in memberships_of(erin)] == ["Acme"]
    assert [one.organization_name for one in memberships_of(cast.mallory.user)] == ["Umbra"]


def test_an_invitation_to_another_address_of_ones_own_is_ones_own(
    cast: Cast, sender: Membership, client: Client
) -> None:
    user = cast.mallory.user
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get(f"/invitations/{invited(sender)}/")
    address = EmailAddress.objects.create(user=user, email="erin@example.com")
    assert "Sign out and continue" in client.get(ANSWER).content.decode()
    address.verified = True
    address.save()
    assert "Sign out and continue" not in client.get(ANSWER).content.decode()


@pytest.mark.parametrize("token", ["x", "pli_" + "0" * 33, "%00", "a" * 2000, "plk_" + "0" * 33])
def test_a_link_that_is_none_says_so(token: str, db: None, client: Client) -> None:
    assert client.get(f"/invitations/{token}/").status_code == 302
    assert client.get(ANSWER).status_code == 410


def test_a_forged_token_of_the_right_form_opens_nothing(cast: Cast, client: Client) -> None:
    client.get(f"/invitations/{new_token('pli_')}/")
    answer = client.get(ANSWER)
    assert answer.status_code == 410 and "Acme" not in answer.content.decode()


def test_nobody_answers_without_signing_in_or_by_another_method(
    cast: Cast, sender: Membership, client: Client
) -> None:
    token = invited(sender)
    client.get(f"/invitations/{token}/")
    assert client.post(ANSWER, {"answer": "join"}).headers["Location"] == ANSWER
    assert offer(token) is not None
    assert client.put(ANSWER).status_code == 405
    assert client.post(f"/invitations/{token}/").status_code == 405


def test_a_page_of_one_invitation_joins_no_other_that_was_opened_since(
    cast: Cast, sender: Membership, client: Client
) -> None:
    client.force_login(person("erin"), backend="allauth.account.auth_backends.AuthenticationBackend")
    client.get(f"/invitations/{invited(sender)}/")
    asked_about_acme = _hidden(client.get(ANSWER).content.decode())
    confirm(cast.mallory)
    client.get(f"/invitations/{invited(cast.mallory)}/")
    told = client.post(ANSWER, {**asked_about_acme, "answer": "join"}, follow=True)
    assert memberships_of(told.wsgi_request.user) == []  # type: ignore[arg-type]
    shown = told.content.decode()
    assert "Join Umbra" in unescape(shown) and "Another invitation has been opened since" in shown
    client.post(ANSWER, {**_hidden(shown), "answer": "join"})
    assert [one.organization_name for one in memberships_of(told.wsgi_request.user)] == ["Umbra"]  # type: ignore[arg-type]


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
