"""The builder as people use it: by mouse and keys, over a reload and a lost connection, two at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Route,
    StorageState,
    expect,
    sync_playwright,
)

from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api
from tests.journeys.browser import FLAGS, HARMLESS, chromium
from tests.journeys.filled import AGENTS
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(900)]

TEXT = "() => document.getElementById('id_document')?.value"  # none while the page is still being read
SET_TEXT = (
    "(text) => document.getElementById('id_document').dispatchEvent("
    "new CustomEvent('layer:set-text', {detail: text}))"
)
LOST = (
    "ERR_INTERNET_DISCONNECTED",
    "ERR_FAILED",
    "htmx:sendError",
    "htmx:sendAbort",
    "htmx:afterRequest",
    "htmx:responseError",
)


@dataclass(frozen=True)
class World:
    browser: Browser
    product: RunningProduct
    api: Api
    path: str
    signed_in: StorageState
    complaints: list[str]

    def context(self, **options: Any) -> BrowserContext:
        return self.browser.new_context(
            base_url=self.product.web, viewport={"width": 1440, "height": 900}, **options
        )

    def page(self, **options: Any) -> Page:
        """Alice, signed in, at the policy as it is in force."""
        self.api.ask("PATCH", self.path, {"document": AGENTS})
        page = self.context(storage_state=self.signed_in, **options).new_page()
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(self.path)
        return page

    def limits_of_refunds(self, page: Page, *names: str) -> Locator:
        """Opens the rule of create_refund with these limits alone; the buttons that remove them."""
        limits = [{"counter": name, "window": "hour", "max": 5, "scope": "grant"} for name in names]
        document = {**AGENTS, "tools": {"create_refund": {"limits": limits}}}
        self.api.ask("PATCH", self.path, {"document": document})
        page.goto(self.path)
        row(page, "create_refund").locator("[data-open-row]").click()
        remove = page.get_by_role("button", name="Remove this limit")
        expect(remove).to_have_count(len(names))
        return remove


def _signed_in(browser: Browser, web: str, made: dict[str, Any]) -> StorageState:
    context = browser.new_context(base_url=web)
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(made["email"])
    page.get_by_label("Password", exact=True).fill(made["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chromium()
    folder = tmp_path_factory.mktemp("product")
    with running_product(folder) as product, running_toy() as toy, sync_playwright() as playwright:
        made = product.bootstrap("alice@example.com", "Acme")
        api = Api(product.web, made["api_key"])
        policy = api.publish(api.register("AWS IAM", toy.url), AGENTS)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        yield World(browser, product, api, f"/policies/{policy}/", _signed_in(browser, product.web, made), [])
        browser.close()


@pytest.fixture(autouse=True)
def _no_complaints(world: World) -> Iterator[None]:
    world.complaints.clear()
    yield
    left = [said for said in world.complaints if not any(word in said for word in (*HARMLESS, *LOST))]
    # Every open page holds one of the few streams its reader may have.
    for context in world.browser.contexts:
        context.close()
    assert left == []


def row(page: Page, name: str) -> Any:
    return page.locator(f".brow[data-row][aria-label^='{name},']")


def text_of(page: Page) -> str:
    return str(page.evaluate(TEXT))


def expect_text(page: Page, wanted: str) -> None:
    page.wait_for_function(f"(wanted) => ({TEXT})() === wanted", arg=wanted)


def expect_other_text(page: Page, before: str) -> None:
    page.wait_for_function(f"(old) => ![old, undefined].includes(({TEXT})())", arg=before)


def expect_in_text(page: Page, part: str) -> None:
    page.wait_for_function(f"(part) => ({TEXT})()?.includes(part)", arg=part)


def begin_to_type(page: Page) -> None:
    page.get_by_role("button", name="JSON").click()
    page.locator(".cm-content").click()
    page.wait_for_load_state()  # the editor is there before what saves and checks its text


def test_verbs_are_set_by_key_and_undone_through_a_reload(world: World) -> None:
    page = world.page()
    before = text_of(page)
    row(page, "delete_access_key").locator("input[value=approval]").focus()
    page.keyboard.press("d")
    expect_other_text(page, before)
    expect(row(page, "delete_access_key").locator("input[value=deny]")).to_be_focused()
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    expect(page.locator("#judgement")).to_contain_text("1 tighter")
    page.reload()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_text(page, before)
    expect(page.locator("#draft")).to_contain_text("Nothing changed since revision 1")


def test_a_tool_is_found_and_set_by_keys_alone(world: World) -> None:
    page = world.page()
    before = text_of(page)
    page.keyboard.press("/")
    page.keyboard.type("refund")
    expect(row(page, "delete_access_key")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("d")
    expect_other_text(page, before)
    expect(row(page, "create_refund").locator("input[value=deny]")).to_be_checked()


def test_the_names_of_resources_are_typed_and_stay(world: World) -> None:
    page = world.page()
    page.get_by_label("Edit the rules for resources and prompts").click()
    page.locator("#access-resources").select_option("deny")
    allowed = page.locator("#access-allow-resources")
    expect(allowed).to_have_value("")
    allowed.fill("repo://acme/*\nrepo://docs/a")
    allowed.press("Tab")
    expect_in_text(page, '"repo://docs/a"')
    page.locator("#access-deny-resources").fill("repo://acme/keys/*")
    page.locator("#access-deny-resources").press("Tab")
    expect_in_text(page, '"repo://acme/keys/*"')
    expect(allowed).to_have_value("repo://acme/*\nrepo://docs/a")


def test_who_denies_with_the_mouse_writes_next_why_and_may_undo_it_there(world: World) -> None:
    page = world.page()
    before = text_of(page)
    row(page, "delete_access_key").locator("input[value=deny]").click()
    why = page.get_by_label("What the agent reads")
    expect(why).to_be_focused()
    assert page.evaluate("getSelection().toString()") == why.input_value() != ""
    expect_other_text(page, before)
    page.keyboard.press("Control+z")
    expect_text(page, before)


def test_a_mark_that_is_chosen_already_opens_the_rule_it_stands_for(world: World) -> None:
    page = world.page()
    before = text_of(page)
    tool = row(page, "create_access_key")
    tool.locator("label.cell:has(input:checked)").click()
    expect(tool.locator("[data-open-row]")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Calls")).to_have_value("5")
    tool.locator("label.cell:has(input:checked)").click()
    expect(tool.locator("[data-open-row]")).to_have_attribute("aria-expanded", "true")
    assert text_of(page) == before


def test_many_tools_change_at_once_and_one_undo_takes_it_back(world: World) -> None:
    page = world.page()
    before = text_of(page)
    page.get_by_role("link", name=re.compile("^Show the")).first.click()  # it opens them all
    for name in ("echo", "slow_tool"):
        row(page, name).locator(".cb").check()
    expect(page.locator("[data-selected]")).to_have_text("2 selected")
    page.locator("#bulk").get_by_role("button", name="Approval").click()
    expect(row(page, "echo").locator("input[value=approval]")).to_be_checked()
    expect(row(page, "slow_tool").locator("input[value=approval]")).to_be_checked()
    page.locator(".say").get_by_role("button", name="Undo").click()
    expect_text(page, before)


def test_a_condition_is_made_of_the_tools_own_arguments(world: World) -> None:
    page = world.page()
    page.locator("#find").fill("refund")
    expect(row(page, "create_access_key")).to_have_count(0)
    row(page, "create_refund").locator("[data-open-row]").click()
    card = page.locator(".rulecard")
    expect(card.get_by_label("Argument")).to_have_value("args.amount")
    card.get_by_label("Value").fill("250")
    card.get_by_label("Value").press("Tab")
    expect_in_text(page, "250")
    card.get_by_label("Operator").select_option("lt")
    expect_in_text(page, '"lt"')
    expect(card).to_contain_text("Calls are denied unless args.amount is less than 250")
    before = text_of(page)
    card.get_by_label("Value").fill("many")
    card.get_by_label("Value").press("Tab")
    expect(page.locator("#draft")).to_contain_text("A number is written like")
    assert text_of(page) == before


def test_a_closed_list_that_is_walked_through_by_keys_counts_once_it_is_left(world: World) -> None:
    """Arrow keys open the list in this browser; letters choose in the closed one, as arrows do elsewhere."""
    page, sent = world.page(), list[str]()
    row(page, "create_refund").locator("[data-open-row]").click()
    card = page.locator(".rulecard")
    operator = card.get_by_label("Operator")
    expect(operator).to_have_value("lte")
    before = text_of(page)
    page.on("request", lambda asked: sent.append(asked.url) if asked.url.endswith("/builder/") else None)
    operator.focus()
    for letters, passed in (("is pr", "exists"), ("is le", "lt"), ("is on", "in"), ("is mo", "gt")):
        page.keyboard.type(letters)
        expect(operator).to_have_value(passed)
        page.wait_for_timeout(1_200)  # the browser begins another word
    assert (sent, text_of(page)) == ([], before)
    page.keyboard.press("Tab")
    expect_in_text(page, '"gt"')
    expect(card.get_by_label("Value")).to_have_value("100")
    expect(card.get_by_label("Value")).to_be_focused()
    assert len(sent) == 1
    operator.focus()
    page.keyboard.type("is le")
    page.keyboard.press("Enter")
    expect_in_text(page, '"lt"')
    operator.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(operator).not_to_have_value("lt")
    assert len(sent) == 3


def test_values_are_typed_one_after_another_without_waiting_for_the_page(world: World) -> None:
    page = world.page()
    page.locator("#find").fill("refund")
    row(page, "create_refund").locator("[data-open-row]").click()
    card = page.locator(".rulecard")
    card.get_by_label("Argument").select_option("args.charge")
    expect_in_text(page, '"args.charge"')
    card.get_by_label("Operator").select_option("in")
    expect(card.get_by_label("Add a value")).to_be_visible()
    expect(card.locator(".token")).to_have_count(0)
    card.get_by_label("Add a value").click()
    page.keyboard.type("ch_1\nch_2\n")
    expect(card.locator(".token")).to_have_text(["ch_1", "ch_2"])
    expect(card.get_by_label("Add a value")).to_have_value("")
    page.keyboard.type("ch_3\n")
    expect(card.locator(".token")).to_have_text(["ch_1", "ch_2", "ch_3"])


def test_what_is_pressed_while_another_limit_is_taken_away_is_done_to_the_one_it_stood_at(
    world: World,
) -> None:
    page = world.page()
    names = ("first", "second", "third", "last")
    remove = world.limits_of_refunds(page, *names)

    def press_meanwhile(route: Route) -> None:
        for place in (0, 1, 2, 2):
            remove.nth(place).evaluate("(button) => button.click()")
        route.continue_()

    page.route("**/builder/", press_meanwhile, times=1)
    remove.nth(0).click()
    expect(remove).to_have_count(1)
    assert [name for name in names if f'"{name}"' in text_of(page)] == ["last"]


def test_a_call_is_tried_and_kept_as_a_test(world: World) -> None:
    page = world.page()
    page.locator("#try-tool").fill("create_refund")
    page.locator("#try-arguments").fill("charge: ch_1\namount: 900")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#verdict")).to_contain_text("Refunds above 100 are made by people.")
    page.get_by_text("Keep as test…").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#tests-panel")).to_contain_text("create_refund is denied")
    row(page, "create_refund").locator("input[value=allow]").check(force=True)
    expect(page.locator("#tests-panel")).to_contain_text("1 of 1 fails")
    expect(page.locator("#verdict")).to_contain_text("Allowed.")
    expect(row(page, "create_refund")).to_contain_text("1 problem")
    expect(page.locator(".htmx-request")).to_have_count(0)
    with page.expect_response("**/tests/expect/") as changed:
        page.locator("#tests-panel").get_by_role("button", name=re.compile("^Change expectation to")).click()
    assert "1 passes" in changed.value.text()
    expect(page.locator("#tests-panel")).to_contain_text("1 passes")
    expect(row(page, "create_refund")).not_to_contain_text("problem")
    expect(page.locator("#tests-panel")).to_be_focused()
    page.get_by_label(re.compile("^Remove the test")).click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#tests-panel")).not_to_contain_text("create_refund")


def test_a_long_line_of_arguments_stays_in_its_panel(world: World) -> None:
    page = world.page()
    page.locator("#try-arguments").fill(f'{{"charge": "{"c" * 60}", "amount": 1}}')
    wider = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) == 0


@pytest.mark.parametrize("width", [861, 970, 971, 1180, 1279, 1280, 1365, 1366, 1440])
def test_the_board_ends_where_its_column_does(world: World, width: int) -> None:
    page = world.page()
    page.set_viewport_size({"width": width, "height": 844})
    column = "(one) => one.getBoundingClientRect().right - document.querySelector('.boardwrap')"
    last = page.locator(".bhead span").last
    assert last.evaluate(f"{column}.getBoundingClientRect().right") <= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


BEFORE = {
    "builder": "() => document.querySelector('[aria-label^=\"echo,\"] input[value=allow]').click()",
    "json": "() => { const text = document.getElementById('id_document');"
    " text.dispatchEvent(new CustomEvent('layer:set-text', {detail: text.value + ' '})); }",
}


@pytest.mark.parametrize(("view", "before"), [("builder", "**/builder/"), ("json", "**/check/")])
def test_an_expectation_is_changed_though_an_older_answer_draws_the_panel_anew_meanwhile(
    view: str, before: str, world: World
) -> None:
    page = world.page()
    call = {"tool": "create_refund", "arguments": {"amount": 900}}
    kept = {"name": "Refunds", "call": call, "expect": "allow"}
    world.api.ask("PUT", f"{world.path}tests/", {"tests": [kept]})
    page.goto(f"{world.path}?view={view}&show=all")
    panel = page.locator("#tests-panel")
    button = panel.get_by_role("button", name=re.compile("^Change expectation to"))

    def press_meanwhile(route: Route) -> None:
        older = route.fetch()
        button.evaluate("(button) => button.click()")
        page.wait_for_timeout(1_000)
        route.fulfill(response=older)

    def answer_last(route: Route) -> None:
        answer = route.fetch()
        page.wait_for_timeout(3_000)
        route.fulfill(response=answer)

    page.route(before, press_meanwhile, times=1)
    page.route("**/tests/expect/", answer_last)
    page.evaluate(BEFORE[view])
    expect(panel).to_contain_text("1 passes")
    expect(row(page, "create_refund").get_by_text("problem")).to_have_count(0)
    world.api.ask("PUT", f"{world.path}tests/", {"tests": []})


def test_what_is_changed_without_a_connection_is_made_when_it_is_back(world: World) -> None:
    page = world.page()
    before = text_of(page)
    page.context.set_offline(True)
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    expect(page.locator("#connection")).to_contain_text("No connection.")
    page.context.set_offline(False)
    expect_other_text(page, before)
    expect(page.locator("#connection")).to_have_count(0)


def test_what_is_typed_without_a_connection_survives_a_reload(world: World) -> None:
    page = world.page()
    begin_to_type(page)
    page.keyboard.press("ControlOrMeta+Home")
    # Every save from now on is lost on the way.
    page.route("**/save/", lambda route: route.abort())
    page.keyboard.insert_text("\n\n")
    expect(page.locator("#connection")).to_contain_text("kept on this machine")
    page.unroute("**/save/")
    page.reload()
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    assert text_of(page).startswith("\n\n")


def test_a_broken_text_locks_the_builder_with_the_last_version_that_could_be_read(world: World) -> None:
    page = world.page()
    before = text_of(page)
    begin_to_type(page)
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.insert_text("oops")
    expect(page.locator("#judgement")).to_contain_text("to mend")
    page.get_by_role("button", name="Builder").click()
    expect(page.locator("#board")).to_contain_text("The text is not JSON that can be read.")
    expect(row(page, "create_refund")).to_be_visible()
    page.get_by_role("button", name="Back to that version").click()
    expect_text(page, before)


def test_the_second_of_two_people_is_told_and_chooses(world: World) -> None:
    page = world.page()
    theirs = {**AGENTS, "description": "Somebody else was here."}
    world.api.ask("PATCH", world.path, {"document": theirs})
    page.locator("#description").fill("Mine, typed far below what is told of it.")
    page.set_viewport_size({"width": 1440, "height": 320})
    page.locator("#description").press("Enter")
    expect(page.locator("#draft")).to_contain_text("Someone saved this policy while you were editing.")
    expect(page.locator("#draft [role=alert]")).to_be_in_viewport()
    mine = text_of(page)
    page.locator("#draft").get_by_text("Compare: theirs against yours").click()
    expect(page.locator("#draft")).to_contain_text("Somebody else was here.")
    page.get_by_role("button", name="Put mine on top").click()
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    assert text_of(page) == mine


def test_what_was_pressed_while_an_act_is_on_its_way_is_not_forgotten_after_a_refusal(world: World) -> None:
    page = world.page()
    world.api.ask("PATCH", world.path, {"document": {**AGENTS, "description": "Somebody else was here."}})
    row(page, "create_refund").locator("input[value=deny]").check(force=True)
    expect(page.get_by_role("button", name="Put mine on top")).to_be_visible()
    on_its_way: list[Route] = []
    page.route("**/builder/", lambda route: on_its_way.append(route))
    with page.expect_request("**/builder/"):
        row(page, "delete_access_key").locator("input[value=deny]").check(force=True)
    page.get_by_role("button", name="Put mine on top").click()
    (held,) = on_its_way
    held.continue_()
    expect(page.locator("#draft")).to_contain_text("Draft, saved")


def test_enter_in_a_field_is_one_act(world: World) -> None:
    page = world.page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator("#description").fill("Said once.")
    page.locator("#description").press("Enter")
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    page.wait_for_timeout(500)  # for what should not come
    assert len([url for url in sent if url.endswith("/builder/")]) == 1


def test_three_views_of_one_text_lose_nothing(world: World) -> None:
    page = world.page()
    row(page, "create_refund").locator("input[value=approval]").check(force=True)
    expect_in_text(page, "require_approval")
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    before = text_of(page)
    for key, name in (("2", "policy.json"), ("3", "Written from the document"), ("1", "Anything else")):
        page.keyboard.press(f"Alt+{key}")
        expect(page.locator("main")).to_contain_text(name)
        page.wait_for_load_state()  # the page is there before what hears its keys
        assert text_of(page) == before
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Publish revision")


def test_what_happens_to_anything_else_is_set_on_a_phone(world: World) -> None:
    page = world.page()
    page.set_viewport_size({"width": 390, "height": 844})
    before = text_of(page)
    row(page, "Anything else").locator("input[value=allow]").click()
    expect_other_text(page, before)
    expect(row(page, "Anything else").locator("input[value=allow]")).to_be_checked()


def test_without_a_script_every_control_is_a_form_or_a_link(world: World) -> None:
    page = world.page(java_script_enabled=False)
    row(page, "start_security_scan").locator("[data-open-row]").click()
    page.locator(".setto").get_by_role("button", name="Limit").click()
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    page.locator("input[name=max]").fill("7")
    page.locator("form.limit").get_by_role("button", name="Keep").last.click()
    expect(page.locator(".rulecard")).to_contain_text("At most 7 calls per minute for each grant")
    page.get_by_role("link", name=re.compile("^All")).click()
    row(page, "echo").locator(".cb").check()
    page.locator("#bulk").get_by_role("button", name="Allow").click()
    expect(row(page, "echo").locator("input[value=allow]")).to_be_checked()


def test_a_slip_is_mended_at_its_line_and_undone(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    right = text_of(page)
    wrong = right.replace('"default"', '"defualt"', 1)
    page.evaluate(SET_TEXT, wrong)
    page.locator(".cm-problem").get_by_role("button", name="Write default").click()
    expect_text(page, right)
    page.locator(".cm-content").press("Control+z")
    expect_text(page, wrong)
    page.locator("#judgement").get_by_role("button", name="Write default").click()
    expect_text(page, right)
    expect(page.get_by_role("button", name="Write default")).to_have_count(0)


@pytest.mark.parametrize("view", ["json", "builder"])
def test_a_text_from_elsewhere_is_looked_at_put_in_and_taken_back(view: str, world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view={view}")
    before = text_of(page)
    if view == "builder":
        page.get_by_text("Start from…").click()
    page.get_by_text("Paste or import…").click()
    dialog = page.get_by_role("dialog", name="Paste or import")
    dialog.get_by_label("The policy to paste").fill(
        "tools:\n  echo:\n    rules:\n      - rate_limit: 5/minute\n"
    )
    dialog.get_by_role("button", name="See what it does").click()
    expect(dialog).to_contain_text("Read as an older rule file.")
    expect(dialog).to_contain_text("If you publish this")
    dialog.get_by_role("button", name="Put it in the editor").click()
    expect(dialog).to_be_hidden()
    expect_other_text(page, before)
    assert '"echo"' in text_of(page)
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    expect_text(page, before)


def test_the_head_of_the_json_says_how_it_reads(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    right = text_of(page)
    expect(page.locator("#reads")).to_contain_text("Reads as JSON.")
    page.evaluate(SET_TEXT, right[:-3])
    expect(page.locator("#reads")).to_contain_text("Not JSON yet: line")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_text(page, right)
    expect(page.locator("#reads")).to_contain_text("Reads as JSON.")


def test_a_finding_is_mended_in_the_builder_and_undone(world: World) -> None:
    page = world.page()
    before = text_of(page)
    row(page, "delete_access_key").locator("input[value=allow]").focus()
    page.keyboard.press("a")
    expect_other_text(page, before)
    opened = text_of(page)
    page.locator("#judgement").get_by_role("button", name="Use the recommended rule").first.click()
    expect_other_text(page, opened)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect_text(page, opened)


def test_arguments_and_keys_are_completed_by_keyboard_alone(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    condition = '{ "path": "args.am", "op": "gte", "value": 1 }'
    rule = f'{{ "require": [ {{ "conditions": [ {condition} ] }} ] }}'
    text = f'{{\n  "version": "1", "default": "deny",\n  "tools": {{ "create_refund": {rule} }}\n}}'
    page.evaluate(SET_TEXT, text)
    page.locator(".cm-line .s", has_text="args.am").click()
    page.keyboard.press("Control+Space")
    expect(page.locator(".cm-tooltip-autocomplete li[aria-selected]")).to_contain_text("args.amount")
    page.keyboard.press("Enter")
    expect_text(page, text.replace("args.am", "args.amount"))
    page.keyboard.press("Control+End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    page.keyboard.type(',\n"hi')
    expect(page.locator(".cm-tooltip-autocomplete li[aria-selected]")).to_contain_text("hide")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => /\"hide\": \\[ {1,2}\\]/.test(document.getElementById('id_document').value)"
    )
    page.locator(".cm-line .k", has_text="conditions").hover()
    expect(page.locator(".cm-says")).to_have_text(
        "All of these must be true together; with none, always true."
    )


def test_another_person_is_noticed_at_once_and_what_was_typed_stays(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    mine = text_of(page)
    world.api.ask("PATCH", world.path, {"document": {**AGENTS, "description": "Theirs, just now."}})
    notice = page.locator("#others")
    expect(notice).to_contain_text("Someone saved this policy.")
    expect(notice).to_be_visible()
    assert text_of(page) == mine
    notice.get_by_role("button", name="Compare: theirs against yours").click()
    expect(notice).to_contain_text("Theirs, just now.")
    notice.get_by_role("link", name="Open the newest").click()
    expect_in_text(page, "Theirs, just now.")
    expect(page.locator("#others")).to_be_hidden()


def test_ones_own_saving_is_nobody_elses(world: World) -> None:
    page = world.page()
    before = text_of(page)
    row(page, "delete_access_key").locator("input[value=approval]").focus()
    page.keyboard.press("d")
    expect_other_text(page, before)
    page.wait_for_function("() => Number(document.querySelector('#others').dataset.version) > 0")
    page.wait_for_timeout(2_000)  # longer than the page waits before it says anything
    expect(page.locator("#others")).to_be_hidden()


def test_what_turns_the_order_of_letters_is_spelt_out_in_the_json(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    page.evaluate(
        SET_TEXT, '{ "version": "1", "default": "deny", "hide": ["safe\u202egnp.exe", "a\u2066b"] }'
    )
    expect(page.locator(".cm-unseen")).to_have_text(["U+202E", "U+2066"])


def test_a_page_that_is_older_than_what_was_saved_from_it_is_read_again(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    older = page.context.request.get(page.url)
    page.evaluate(SET_TEXT, text_of(page) + "\n")
    newest = text_of(page)
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    # As when the page is asked for while its save is under way, and comes after the answer to it.
    page.route(page.url, lambda route: route.fulfill(response=older), times=1)
    page.reload()
    expect_text(page, newest)
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    page.wait_for_timeout(2_000)  # longer than the page waits before it says anything
    expect(page.locator("#others")).to_be_hidden()


def test_what_was_typed_while_a_save_was_under_way_is_not_taken_for_another_persons(world: World) -> None:
    page = world.page()
    page.goto(f"{world.path}?view=json")
    mine = text_of(page) + "\n\n"

    def answer_late(route: Route) -> None:
        answer = route.fetch()
        page.evaluate(SET_TEXT, mine)
        route.fulfill(response=answer)

    page.route("**/save/", answer_late, times=1)
    with page.expect_response("**/save/"):
        page.evaluate(SET_TEXT, text_of(page) + "\n")
    page.route("**/save/", lambda route: route.abort())
    expect(page.locator("#connection")).to_contain_text("kept on this machine")
    page.unroute("**/save/")
    with page.expect_response("**/save/") as saved:
        page.reload()
    assert saved.value.status == 200
    assert text_of(page) == mine


def test_a_form_that_asks_by_itself_sends_no_button_that_was_pressed_before(world: World) -> None:
    page = world.page()
    button = page.get_by_role("button", name="Try it")
    button.evaluate("(button) => { button.name = 'pressed'; button.value = 'yes'; }")
    page.locator("#try-tool").fill("create_refund")
    with page.expect_request("**/try/") as asked:
        button.click()
    assert "pressed=yes" in (asked.value.post_data or "")
    with page.expect_request("**/try/") as asked:
        page.evaluate("document.body.dispatchEvent(new CustomEvent('layer:text-changed'))")
    assert "tool=create_refund" in (asked.value.post_data or "")
    assert "pressed" not in (asked.value.post_data or "")
