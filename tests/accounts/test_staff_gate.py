"""The pages for staff: off unless ADMIN_ENABLED, then for staff who showed a second factor."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import call_command
from django.test import Client
from django.urls import Resolver404, clear_url_caches, resolve

from accounts.models import Membership
from config import urls
from tests.accounts.staff import make_staff, show_second_factor
from tests.cast import PASSWORD, Cast
from tests.journeys.second_step import six_digits
from tests.roles import as_owner

PAGES = (
    *("/catalogue/reports/", "/catalogue/messages/"),
    *(
        "/admin/",
        "/admin/catalog/",
        "/admin/accounts/user/",
        "/admin/catalog/contactmessage/",
        "/admin/jsi18n/",
    ),
)
pytestmark = pytest.mark.django_db
SignedIn = Callable[[Membership], Client]


def statuses(client: Client) -> set[int]:
    return {client.get(path).status_code for path in PAGES}


def test_while_it_is_off_there_is_nothing_for_anyone(cast: Cast, signed_in: SignedIn, settings: Any) -> None:
    settings.ADMIN_ENABLED = False
    make_staff(cast.dave)
    for client in (Client(), signed_in(cast.alice), show_second_factor(signed_in(cast.dave), cast.dave)):
        assert statuses(client) == {404}


@pytest.fixture
def made_while_off(settings: Any) -> Iterator[None]:
    settings.ADMIN_ENABLED = False
    importlib.reload(urls)
    clear_url_caches()
    yield
    settings.ADMIN_ENABLED = True
    importlib.reload(urls)
    clear_url_caches()


def test_a_product_with_the_admin_off_does_not_even_mount_it(made_while_off: None) -> None:
    with pytest.raises(Resolver404):
        resolve("/admin/", "config.urls")
    assert resolve("/catalogue/", "config.urls").view_name == "catalog:index"


@pytest.mark.parametrize(
    "path", [*PAGES, "/admin/login/", "/admin/nothing/", "/admin/catalog/labelreport/1/change/"]
)
def test_who_is_not_signed_in_signs_in_where_everyone_does(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={path}")


def test_owners_and_members_are_not_staff(cast: Cast, signed_in: SignedIn) -> None:
    TOTP.activate(cast.alice.user, generate_totp_secret())
    alice = show_second_factor(signed_in(cast.alice), cast.alice)
    for client in (alice, signed_in(cast.bob), signed_in(cast.mallory)):
        assert statuses(client) == {404}


def test_a_superuser_who_is_not_staff_is_nobody_special(cast: Cast, signed_in: SignedIn) -> None:
    make_staff(cast.dave)
    with as_owner():
        call_command("staff", "remove", cast.dave.user.email)
        cast.dave.user.refresh_from_db()
        cast.dave.user.is_superuser = True
        cast.dave.user.save()
    assert statuses(show_second_factor(signed_in(cast.dave), cast.dave)) == {404}


def test_staff_without_a_second_factor_find_nothing(cast: Cast, signed_in: SignedIn) -> None:
    with as_owner():
        call_command("staff", "add", cast.dave.user.email)
    assert statuses(signed_in(cast.dave)) == {404}


def test_a_session_that_never_showed_the_second_factor_is_asked_for_it(
    cast: Cast, signed_in: SignedIn
) -> None:
    """It began before the factor was set up; whoever has it knew the password and no more."""
    session = signed_in(cast.dave)
    make_staff(cast.dave)
    for path in PAGES:
        assert session.get(path).headers["Location"] == f"/accounts/2fa/reauthenticate/?next={path}"


def test_staff_sign_in_with_their_code_and_are_let_in(cast: Cast) -> None:
    secret = generate_totp_secret()
    with as_owner():
        call_command("staff", "add", cast.dave.user.email)
    TOTP.activate(cast.dave.user, secret)
    client = Client()
    asked = client.post(
        "/accounts/login/", {"login": cast.dave.user.email, "password": PASSWORD, "next": "/admin/"}
    )
    assert statuses(client) == {302}
    answer = client.post(asked.headers["Location"], {"code": six_digits(secret)})
    assert answer.headers["Location"] == "/admin/"
    assert statuses(client) == {200}


def test_a_code_that_is_asked_for_leads_to_the_page_that_was_wanted(cast: Cast, signed_in: SignedIn) -> None:
    secret = generate_totp_secret()
    with as_owner():
        call_command("staff", "add", cast.dave.user.email)
    TOTP.activate(cast.dave.user, secret)
    client = signed_in(cast.dave)
    asked = client.get("/admin/").headers["Location"]
    assert client.post(asked, {"code": six_digits(secret)}).headers["Location"] == "/admin/"
    assert statuses(client) == {200}
