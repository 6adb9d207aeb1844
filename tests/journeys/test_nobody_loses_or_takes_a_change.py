"""A change in the policy editor is made to the version its author saw, by that author; none is lost."""

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


def test_a_text_that_was_refused_is_still_there_after_a_reload_until_it_is_dropped(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    begin_to_type(page)
    page.keyboard.press("ControlOrMeta+Home")
    world.api.ask("PATCH", world.path, {"document": {**AGENTS, "description": "Theirs."}})
    page.keyboard.insert_text("\n\n\n")
    refused = page.locator("#draft").get_by_text("Someone saved this policy while you were editing.")
    expect(refused).to_be_visible()
    page.reload()
    expect(refused).to_be_visible()
    assert text_of(page).startswith("\n\n\n")
    page.get_by_role("link", name="Drop mine, open theirs").click()
    page.goto(f"{world.path}?view=json")
    page.wait_for_timeout(1_000)
    assert "Theirs." in text_of(page) and not text_of(page).startswith("\n")


def test_a_lost_connection_is_tried_once_in_a_while_however_much_is_typed(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    begin_to_type(page)
    asked: list[str] = []

    def lost(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route("**/save/", lost)
    for _ in range(4):
        page.keyboard.insert_text("\n")
        page.wait_for_timeout(1_300)  # each is a save of its own
    before = len(asked)
    page.wait_for_timeout(6_000)
    assert before >= 4
    assert 1 <= len(asked) - before <= 2


def test_undo_takes_back_the_change_that_is_still_under_way_and_no_other(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    before = text_of(page)
    row(page, "delete_access_key").locator("input[value=approval]").focus()
    page.keyboard.press("d")
    expect_other_text(page, before)
    denied = text_of(page)

    def undone_meanwhile(route: Route) -> None:
        page.keyboard.press("ControlOrMeta+z")
        route.continue_()

    expect(row(page, "delete_access_key").locator("input[value=deny]")).to_be_focused()
    page.route("**/builder/", undone_meanwhile, times=1)
    with page.expect_response(lambda answer: "do=text" in (answer.request.post_data or "")):
        page.keyboard.press("a")
    expect_text(page, denied)


def test_what_is_half_typed_while_a_limit_is_taken_away_stays_with_its_own_limit(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    names = ("one", "two", "three")
    remove = world.limits_of_refunds(page, *names)
    most = page.locator("input[name=max]")

    def type_meanwhile(route: Route) -> None:
        most.nth(1).click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("7")
        route.continue_()

    page.route("**/builder/", type_meanwhile, times=1)
    remove.nth(0).evaluate("(button) => button.click()")
    expect(remove).to_have_count(2)
    expect(most.nth(0)).to_be_focused()
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.getElementById('id_document').value.includes('77')")
    page.wait_for_timeout(1_000)  # time for an act that should not follow
    kept = json.loads(text_of(page))["tools"]["create_refund"]["limits"]
    assert [(each["counter"], each["max"]) for each in kept] == [("two", 77), ("three", 5)]


def test_what_waited_for_an_older_version_is_said_not_to_be_made(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    page.route("**/builder/", lambda route: route.abort())
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    expect(page.locator("#connection")).to_contain_text("No connection.")
    world.api.ask("PATCH", world.path, {"document": {**AGENTS, "description": "Theirs."}})
    page.reload()
    expect(page.locator("#draft")).to_contain_text("was not made: this policy has been saved since")
    page.reload()
    expect(page.locator("#draft")).not_to_contain_text("was not made")


def test_enter_goes_where_the_words_lead_and_not_where_the_list_led_before_them(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    page.goto("/workers/")
    page.keyboard.press("Control+k")
    page.get_by_role("option").first.wait_for()
    page.keyboard.type("create_refund")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/workers/"))
    assert "/tools/" in page.url


def test_a_button_that_copied_twice_says_again_what_it_does(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{world.path}?view=words")
    button = page.locator("button[data-copy='#words']")
    for _ in range(2):
        button.click()
        expect(button).to_have_text("Copied")
        page.wait_for_timeout(500)
    expect(button).to_have_text("Copy as text")


def test_what_is_pressed_before_the_review_is_in_it(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()

    def pressed_meanwhile(route: Route) -> None:
        row(page, "create_refund").locator("input[value=deny]").check(force=True)
        page.locator("[data-review]").evaluate("(button) => button.click()")
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/builder/", pressed_meanwhile, times=1)
    row(page, "delete_access_key").locator("input[value=deny]").check(force=True)
    page.wait_for_url("**/review/")
    tools = json.loads(world.api.ask("GET", world.path)["document"])["tools"]
    assert {tools[name]["action"] for name in ("create_refund", "delete_access_key")} == {"deny"}


def test_what_waits_its_turn_when_the_page_is_left_is_made_when_it_is_back(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    page.route("**/builder/", lambda route: None, times=1)  # never answered
    row(page, "delete_access_key").locator("input[value=deny]").check(force=True)
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    page.goto("/workers/")
    page.goto(world.path)
    expect(row(page, "create_refund").locator("input[value=deny]")).to_be_checked()
    expect(row(page, "delete_access_key").locator("input[value=deny]")).to_be_checked()
    tools = json.loads(world.api.ask("GET", world.path)["document"])["tools"]
    assert {tools[name]["action"] for name in ("create_refund", "delete_access_key")} == {"deny"}


def test_an_act_is_made_once_though_something_else_of_the_page_got_no_answer_meanwhile(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    row(page, "create_refund").locator("[data-open-row]").click()

    def fail_beside(route: Route) -> None:
        page.route("**/try/", lambda asked: asked.abort())
        with page.expect_event("requestfailed"):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('layer:text-changed'))")
        route.continue_()

    expect(page.locator(".rulecard")).to_be_visible()
    page.wait_for_timeout(500)  # what opening it requests has arrived
    page.route("**/builder/", fail_beside, times=1)
    page.locator(".rulecard button[id^=add-][id$=-limit]").click()
    limits = page.get_by_role("button", name="Remove this limit")
    expect(limits).to_have_count(1)
    page.wait_for_timeout(4_000)  # longer than a lost act waits to be sent again
    expect(limits).to_have_count(1)


def test_a_text_that_was_saved_by_going_to_the_builder_does_not_come_back_over_what_was_done_there(
    world: World,  # noqa: F811 - the fixture
) -> None:
    page = world.page()
    begin_to_type(page)
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.insert_text("\n\n")
    page.get_by_role("button", name="Builder").click()
    expect(page.locator("#board")).to_be_visible()
    typed = text_of(page)
    assert typed.startswith("\n\n")
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    expect_other_text(page, typed)
    newest = text_of(page)
    page.get_by_role("button", name="JSON").click()
    expect(page.locator(".cm-content")).to_be_visible()
    page.wait_for_timeout(2_500)  # longer than the page waits before it saves
    assert text_of(page) == newest
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
