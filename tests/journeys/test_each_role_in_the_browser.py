"""One person goes through all roles: what a role may not do is not offered, and is refused when forced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.journeys.api import Api, wait_until
from tests.journeys.browser import FLAGS, chromium
from tests.journeys.filled import Filled, filled
from tests.journeys.product import running_product

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(300)]

ROLES = ("viewer", "policy_manager", "admin", "owner")
PASSWORD = "a long enough password 4 Bob"
# The page, what it offers, and the lowest role to which it is offered.
OFFERS = (
    ("servers", "link", "Register a server", "admin"),
    ("server", "button", "Scan again", "admin"),
    ("server", "link", "Another policy", "policy_manager"),
    ("server", "link", "Issue a grant", "admin"),
    ("policies", "link", "New policy", "policy_manager"),
    ("policy", "button", "Review and publish…", "policy_manager"),
    ("grants", "link", "Issue a grant", "admin"),
    ("grant", "button", "Put it under this policy", "policy_manager"),
    ("approvals", "button", "Approve once", "policy_manager"),
    ("log-opened", "link", "Make a rule from this call", "policy_manager"),
    ("members", "heading", "Invite someone", "admin"),
    ("api-keys", "button", "Make the key", "admin"),
    ("approvals-settings", "heading", "Add a webhook", "admin"),
    ("security", "button", "Change", "owner"),
    ("settings", "heading", "Delete", "owner"),
)
# What is sent anyway, the lowest role that may, and the sentence that refuses all others.
FORCED = (
    ("servers/register/", "admin", "Registering and changing servers needs the admin role"),
    ("{server}scan/", "admin", "Registering and changing servers needs the admin role"),
    ("policies/new/", "policy_manager", "Editing policies needs the policy manager role"),
    ("grants/issue/", "admin", "Issuing and revoking grants needs the admin role"),
    ("settings/members/", "admin", "Inviting and changing members needs the admin role"),
    ("settings/api-keys/", "admin", "Making API keys needs the admin role"),
    ("settings/security/", "owner", "Changing security settings needs the owner role"),
    ("settings/rename/", "owner", "Renaming the organization needs the owner role"),
    ("settings/delete/", "owner", "Deleting the organization needs the owner role"),
)


@dataclass(frozen=True, slots=True)
class World:
    made: Filled
    bob: Page
    member: str

    def becomes(self, role: str) -> None:
        self.made.api.ask("PATCH", f"/members/{self.member}/", {"role": role})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    program = chromium()
    folder = tmp_path_factory.mktemp("roles")
    with (
        running_product(folder) as product,
        filled(product, hostile=False) as made,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        bob = browser.new_context(base_url=product.web, reduced_motion="reduce").new_page()
        bob.set_default_timeout(90_000)
        joins(bob, made.api, product.data_dir / "mail")
        members = made.api.ask("GET", "/members/")["results"]
        member = next(one["id"] for one in members if one["email"] == "bob@example.com")
        yield World(made, bob, member)
        browser.close()


def joins(page: Page, api: Api, mail: Path) -> None:
    """Join by the link in the mail, without an account so far."""
    api.ask("POST", "/invitations/", {"email": "bob@example.com", "role": "viewer"})
    found: list[str] = []

    def arrived() -> bool:
        texts = [file.read_text() for file in mail.glob("*")] if mail.exists() else []
        found[:] = [link for text in texts for link in re.findall(r"/invitations/pli_\w{33}/", text)]
        return bool(found)

    wait_until(arrived, "no invitation was sent")
    page.goto(found[-1])
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill("bob@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/overview/**")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_offered_what_it_may_do_and_nothing_else(world: World, role: str) -> None:
    world.becomes(role)
    wrong = []
    for name, kind, words, least in OFFERS:
        world.bob.goto(world.made.pages[name])
        offered = world.bob.get_by_role(kind, name=words).count() > 0  # type: ignore[arg-type]
        if offered != (ROLES.index(role) >= ROLES.index(least)):
            wrong.append(f"{words} on {name} is {'' if offered else 'not '}offered")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES[:-1])
def test_what_a_role_may_not_do_is_refused_with_a_sentence(world: World, role: str) -> None:
    world.becomes(role)
    world.bob.goto("/overview/?stay=1")
    token = json.loads(str(world.bob.locator("body").get_attribute("hx-headers")))["X-CSRFToken"]
    wrong = []
    for path, least, sentence in FORCED:
        if ROLES.index(role) >= ROLES.index(least):
            continue
        place = "/" + path.format(server=world.made.pages["server"].lstrip("/"))
        sent = {
            "form": {"server": world.made.pages["server"].split("/")[2]},
            "headers": {"X-CSRFToken": token, "Referer": world.bob.url},
        }
        answer = world.bob.request.post(place, **sent)  # type: ignore[arg-type]
        if answer.status != 403 or sentence not in answer.text():
            wrong.append(f"{path}: {answer.status}")
    assert wrong == []


def test_a_viewer_sees_no_argument_of_a_waiting_call(world: World) -> None:
    world.becomes("viewer")
    world.bob.goto("/approvals/")
    assert "create_refund" in world.bob.inner_text("main")
    assert "ch_3Qx81" not in world.bob.content()
    world.becomes("policy_manager")
    world.bob.goto("/approvals/")
    assert "ch_3Qx81" in world.bob.inner_text("main")


def test_the_tab_says_how_many_calls_wait_also_once_one_is_answered_elsewhere(world: World) -> None:
    world.becomes("policy_manager")
    page, api = world.bob, world.made.api
    waiting = api.ask("GET", "/approvals/?state=pending")["results"]
    page.goto("/approvals/")
    expect(page).to_have_title(f"{len(waiting)} calls wait for an answer · PolicyLayer")
    other = page.context.new_page()
    other.goto(f"/approvals/{waiting[0]['id']}/")
    other.get_by_role("button", name="Decline").click()
    other.get_by_text("Declined", exact=True).first.wait_for()
    left = len(waiting) - 1
    expect(page).to_have_title(
        f"{left} call{'s' * (left != 1)} wait{'s' * (left == 1)} for an answer · PolicyLayer"
    )
