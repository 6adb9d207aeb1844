"""What is done in the policy editor is done to what it stood at, by whoever did it; nothing is lost unsaid."""

from __future__ import annotations

import json

from playwright.sync_api import Route, expect

from tests.journeys.filled import AGENTS
from tests.journeys.test_a_policy_in_the_builder import (
    World,
    _no_complaints,  # noqa: F401 - of every test here, too
    begin_to_type,
    expect_other_text,
    expect_text,
    pytestmark,  # noqa: F401 - the marks of these, too
    row,
    text_of,
    world,  # noqa: F401 - the fixture
)
from tests.journeys.test_each_role_in_the_browser import joins


def test_what_one_person_left_waiting_is_not_made_by_the_next_on_the_same_machine(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    before = text_of(page)
    page.route("**/builder/", lambda route: route.abort())
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    expect(page.locator("#connection")).to_contain_text("No connection.")
    page.goto(f"{world.path}?view=json")
    page.route("**/save/", lambda route: route.abort())
    page.locator(".cm-content").click()
    page.keyboard.insert_text("\n\n")
    expect(page.locator("#connection")).to_contain_text("kept on this machine")
    page.goto("/workers/")
    page.unroute_all()
    page.context.clear_cookies()
    joins(page, world.api, world.product.data_dir / "mail")
    members = world.api.ask("GET", "/members/")["results"]
    bob = next(one for one in members if one["email"] == "bob@example.com")
    world.api.ask("PATCH", f"/members/{bob['id']}/", {"role": "policy_manager"})
    for view in ("builder", "json"):
        page.goto(f"{world.path}?view={view}")
        page.wait_for_timeout(2_500)  # longer than the page waits before it saves
        assert text_of(page) == before
    assert json.loads(world.api.ask("GET", world.path)["document"]) == json.loads(before)
