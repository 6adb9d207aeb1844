"""Django's admin, as staff have it: they look at what belongs to no organization, and change nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db import connection
from django.forms.models import model_to_dict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, User
from accounts.tenancy import OrganizationOwned
from catalog.ingest import Report
from catalog.models import CatalogServer, CatalogTool, ContactMessage, LabelReport, SourceCheck
from config.admin import site
from tests.accounts.staff import make_staff, show_second_factor
from tests.cast import PASSWORD, Acme, Cast
from tests.catalog.index import BIDI, HOSTILE, index
from tests.contracts.test_nothing_hostile_runs import read
from tests.roles import as_owner, as_worker

__all__ = ["index"]
SignedIn = Callable[[Membership], Client]
LISTS = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry]
SECRET = re.compile(r"password|token|secret|hash|sealed|session|key$|^data$|search")


@pytest.fixture
def staff(cast: Cast, acme: Acme, signed_in: SignedIn) -> Client:
    make_staff(cast.dave)
    return show_second_factor(signed_in(cast.dave), cast.dave)


@pytest.fixture
def sent(db: None) -> None:
    """What visitors and an import left, some of it hostile."""
    with as_owner():
        ContactMessage.objects.create(
            email="a@example.com", about=HOSTILE + BIDI, message=f"{HOSTILE}\n{BIDI}"
        )
    LabelReport.objects.create(
        server="hostile-server", tool=HOSTILE, label="Read", should_be="Write", why=HOSTILE + BIDI
    )
    with as_worker():
        SourceCheck.objects.create(source=HOSTILE, counts={HOSTILE: 1}, refused=[[HOSTILE, BIDI]])


def rows(path: str) -> list[str]:
    model = next(one for one in site._registry if path.endswith(f"/{one._meta.model_name}/"))
    return [f"{path}{pk}/change/" for pk in model._default_manager.values_list("pk", flat=True)[:30]]


def pages() -> list[str]:
    lists = ["/admin/", "/admin/accounts/", "/admin/catalog/", *LISTS]
    return lists + [row for path in LISTS for row in rows(path)]


def test_staff_see_people_the_catalogue_and_what_visitors_sent_and_nothing_of_any_organization() -> None:
    assert set(site._registry) == {
        *(User, CatalogServer, CatalogTool, SourceCheck, LabelReport, ContactMessage)
    }
    for model, shown in site._registry.items():
        assert not issubclass(model, OrganizationOwned)
        fields = {*(shown.fields or ()), *shown.list_filter, *map(str, shown.list_display)}
        assert shown.fields and not [name for name in fields if SECRET.search(name)], model


def test_every_page_is_shown_and_nothing_that_a_stranger_wrote_runs(
    staff: Client, index: Report, sent: None
) -> None:
    seen = ""
    for path in pages():
        answer = staff.get(path)
        assert answer.status_code == 200, path
        page = read(answer.content.decode())
        assert page.running == [] and "<style" not in answer.content.decode(), path
        assert " style=" not in answer.content.decode(), path
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]
        seen += page.seen
    assert "onerror=alert(1)" in seen and "dave@" in seen


def test_what_strangers_hid_in_their_text_is_made_visible(staff: Client, index: Report, sent: None) -> None:
    said = "".join(staff.get(path).content.decode() for path in pages())
    assert "\u202e" not in said and "safeU+202Eexe.eteled" in said


def test_no_page_shows_a_secret_or_anything_of_acme(
    staff: Client, cast: Cast, acme: Acme, index: Report, sent: None
) -> None:
    dave = User.objects.get(pk=cast.dave.user.pk)
    factor = Authenticator.objects.get(user=dave)
    hidden = [dave.password, json.dumps(factor.data), factor.data["secret"], PASSWORD, "Acme", "Umbra"]
    hidden += [*Session.objects.values_list("session_key", flat=True), acme.server.public_id, acme.token]
    for path in pages():
        said = staff.get(path).content.decode()
        assert [each for each in hidden if each in said] == [], path


@pytest.mark.parametrize(
    "asked",
    [
        "accounts/user/?password__startswith=md5",
        "accounts/user/?memberships__organization__name__startswith=A",
        "accounts/user/?authenticator__data__contains=x",
        "catalog/contactmessage/?email__startswith=a",
        "catalog/catalogtool/?server__identity=x",
    ],
)
def test_no_filter_but_those_of_the_list_answers_questions(asked: str, staff: Client) -> None:
    assert staff.get(f"/admin/{asked}").status_code == 400


def test_a_filter_of_the_list_filters(staff: Client, cast: Cast) -> None:
    page = staff.get("/admin/accounts/user/?is_staff__exact=1").content.decode()
    assert cast.dave.user.email in page and cast.alice.user.email not in page


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_nothing_is_changed_here(method: str, staff: Client, index: Report, sent: None) -> None:
    before = everything()
    for path in (
        *pages(),
        *(f"{row.removesuffix('change/')}{act}/" for act in ("delete", "history") for row in rows(LISTS[0])),
    ):
        answer = getattr(staff, method)(
            path, {"email": "b@example.com", "_save": "Save", "action": "delete_selected"}
        )
        assert answer.status_code == 403, path
        assert "nothing can be changed here" in answer.content.decode()
    assert everything() == before


def everything() -> list[Any]:
    return [model_to_dict(row) for model in site._registry for row in model._default_manager.order_by("pk")]


@pytest.mark.parametrize("act", ["add/", "{}/delete/", "{}/history/", "{}/"])
def test_there_are_no_pages_for_changing(act: str, staff: Client, cast: Cast) -> None:
    assert staff.get(f"/admin/accounts/user/{act.format(cast.bob.user.pk)}").status_code == 404


@pytest.mark.parametrize("path", ["login/", "logout/", "password_change/", "autocomplete/", "r/1/1/"])
def test_the_admin_has_no_way_in_of_its_own(path: str, staff: Client) -> None:
    assert staff.get(f"/admin/{path}").status_code == 404


@pytest.mark.parametrize(
    "junk", ["0", "x", "%00", "99999999999999999999", "💥", "a" * 3000, "_5F_00", "1/2/3"]
)
def test_an_id_that_is_none_is_not_found(junk: str, staff: Client) -> None:
    assert [staff.get(f"{path}{junk}/change/").status_code for path in LISTS] == [404] * len(LISTS)


@pytest.mark.parametrize(
    "asked",
    ["q=%00", "q=%F0%9F%92%A5", "p=9999", "p=x", "p=-1", "o=1.-2.99", "all=", "e=1", "_facets=1", "q='\"--"],
)
def test_no_question_to_a_list_breaks_it(asked: str, staff: Client, index: Report, sent: None) -> None:
    for path in LISTS:
        assert staff.get(f"{path}?{asked}").status_code in (200, 302), path


def test_a_long_list_asks_no_more_than_a_short_one(staff: Client, index: Report, sent: None) -> None:
    for path in ("/admin/accounts/user/", "/admin/catalog/catalogtool/"):
        few, many = _asked(staff, f"{path}?q=nothing-of-the-kind"), _asked(staff, path)
        assert len(rows(path)) > 4 and many <= few + 1, path


def _asked(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return len(captured)


def test_a_tool_is_found_by_its_name_and_by_its_server(staff: Client, index: Report) -> None:
    for asked in ("create_access_key", "awslabs-iam-mcp-server"):
        page = staff.get(f"/admin/catalog/catalogtool/?q={asked}").content.decode()
        assert "create_access_key" in page and "get_current_time" not in page
