"""A session ends while someone types: signing in leads back to the page, with what was typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api, wait_until
from tests.journeys.browser import FLAGS, chromium
from tests.journeys.product import RunningProduct, running_product
from tests.journeys.second_step import prove_it

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(600)]

RULES = {"version": "1", "default": "deny", "tools": {"list_users": {}}}
# Several answers at once may send there, each after the other.
_SIGN_IN = re.compile(r"/accounts/login/")
BACK = "What you had typed is back. It has not been sent yet."


@dataclass(frozen=True, slots=True)
class World:
    browser: Browser
    product: RunningProduct
    email: str
    password: str
    api: Api
    policy: str

    def signs_in(self, page: Page) -> None:
        page.get_by_label("E-mail").fill(self.email)
        page.get_by_label("Password", exact=True).fill(self.password)
        page.wait_for_load_state()  # the script that carries the typed text over has run
        page.get_by_role("button", name="Sign in", exact=True).click()

    def page(self, path: str) -> Page:
        page = self.browser.new_context(base_url=self.product.web).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/accounts/login/?next={path}")
        expect(page.get_by_text("You were signed out")).to_be_hidden()
        self.signs_in(page)
        page.wait_for_url(f"**{path}")
        return page

    def signs_in_again_elsewhere(self, page: Page) -> None:
        """Sign out and in again in another tab, so that every form still open is older than that."""
        other = page.context.new_page()
        other.goto("/accounts/logout/")
        other.locator("main").get_by_role("button", name="Sign out").click()
        other.goto("/accounts/login/?next=/settings/")
        self.signs_in(other)
        other.wait_for_url("**/settings/")
        other.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    program = chromium()
    with (
        running_product(tmp_path_factory.mktemp("product")) as product,
        running_toy() as toy,
        sync_playwright() as playwright,
    ):
        made = product.bootstrap("alice@example.com", "Acme")
        api = Api(product.web, made["api_key"])
        policy = api.publish(api.register("AWS IAM", toy.url), RULES)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        yield World(browser, product, made["email"], made["password"], api, f"/policies/{policy}/")
        browser.close()


def _session_ends(page: Page) -> None:
    page.context.clear_cookies(name="policylayer_session")


def test_a_form_sent_too_late_comes_back_as_it_was_typed_without_its_secrets(world: World) -> None:
    page = world.page("/servers/register/")
    page.get_by_label("Name", exact=True).fill("Payments")
    page.get_by_label("Server URL").fill("https://mcp.example.com/mcp")
    page.get_by_text("Headers", exact=True).click()
    page.get_by_label("Value of header 1").fill("Bearer secret")
    _session_ends(page)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("You were signed out")).to_contain_text("with what you typed")
    assert not _readable(page, "Payments", world.email)
    world.signs_in(page)
    expect(page.locator("main").get_by_text(BACK)).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Payments")
    expect(page.get_by_label("Server URL")).to_have_value("https://mcp.example.com/mcp")
    expect(page.get_by_label("Headers")).to_be_checked()
    expect(page.get_by_label("Value of header 1")).to_have_value("")


KEPT = "JSON.stringify({...sessionStorage, ...localStorage})"
# Opens what the browser sealed of a form, with the key that only its owner's pages bring.
OPEN = """async (hex) => {
  const sealed = sessionStorage.getItem("sealed:form");
  if (!sealed) return "";
  const bytes = Uint8Array.from(sealed, (letter) => letter.charCodeAt(0));
  const raw = Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
  const how = { name: "AES-GCM", iv: bytes.subarray(0, 12) };
  return new TextDecoder().decode(await crypto.subtle.decrypt(how, key, bytes.subarray(12)));
}"""


def _readable(page: Page, *words: str) -> list[str]:
    """The words that anyone at the machine could read in what the browser keeps, which is not empty."""
    kept = page.evaluate(KEPT)
    assert "sealed:" in kept
    return [word for word in words if word in kept]


def test_no_password_and_no_code_is_kept_not_even_one_that_is_shown(world: World) -> None:
    page = world.page("/accounts/password/change/")
    for number, field in enumerate(page.locator("main .reveal input").all()):
        field.fill(f"secret words {number}")
    for button in page.locator("main [data-reveal]").all():
        button.click()
    expect(page.locator("main .reveal input[type=text]")).to_have_count(3)
    key = page.locator("body").get_attribute("data-key")
    _session_ends(page)
    page.locator("main form").get_by_role("button", name="Change").click()
    expect(page.get_by_text("You were signed out")).to_be_visible()
    kept = page.evaluate(OPEN, key)
    assert "secret" not in kept and "/password/change/" in kept

    page = world.page("/settings/")
    prove_it(page, "/accounts/2fa/totp/activate/", world.password)
    page.get_by_label("Six digits").fill("314159")
    _session_ends(page)
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_text("You were signed out")).to_be_visible()
    kept = page.evaluate(OPEN, key)
    assert "314159" not in kept and "/totp/activate/" in kept


def test_what_was_typed_is_kept_until_any_other_page_and_not_past_signing_out(world: World) -> None:
    page = world.page("/settings/")
    name = page.locator("form[action='/settings/rename/'] input[name=name]")
    key = page.locator("body").get_attribute("data-key")
    name.fill("Acme Pier")
    _session_ends(page)
    name.press("Enter")
    expect(page.get_by_text("You were signed out")).to_be_visible()
    assert "Acme Pier" in page.evaluate(OPEN, key)
    page.goto("/accounts/login/?next=/servers/")
    world.signs_in(page)
    page.wait_for_url("**/servers/")
    assert page.evaluate(OPEN, key) == ""

    page.goto("/settings/")
    page.evaluate("addEventListener('submit', (event) => event.preventDefault(), { once: true })")
    name.fill("Acme Quay")
    name.press("Enter")
    page.wait_for_function("() => sessionStorage.getItem('sealed:form')")
    assert "Acme Quay" in page.evaluate(OPEN, key)
    page.goto("/accounts/logout/")
    assert page.evaluate(OPEN, key) == ""


def test_a_form_without_a_page_of_its_own_leads_back_to_the_page_it_stands_on(world: World) -> None:
    page = world.page("/settings/")
    name = page.locator("form[action='/settings/rename/'] input[name=name]")
    name.fill("Acme Harbour")
    _session_ends(page)
    name.press("Enter")
    world.signs_in(page)
    page.wait_for_url("**/settings/")
    expect(name).to_have_value("Acme Harbour")
    name.press("Enter")
    expect(page.locator("main").get_by_text(BACK)).to_be_hidden()
    expect(name).to_have_value("Acme Harbour")
    # It was sent and done: nothing is restored a second time.
    page.reload()
    expect(page.locator("main").get_by_text(BACK)).to_be_hidden()


def test_a_form_older_than_the_last_sign_in_leads_back_to_what_was_typed(world: World) -> None:
    page = world.page("/settings/")
    name = page.locator("form[action='/settings/rename/'] input[name=name]")
    name.fill("Acme Tower")
    world.signs_in_again_elsewhere(page)
    name.press("Enter")
    back = page.get_by_role("link", name="Back to the page")
    expect(back).to_be_visible()
    page.wait_for_load_state()
    back.click()
    expect(page.locator("main").get_by_text(BACK)).to_be_visible()
    expect(name).to_have_value("Acme Tower")


def test_who_signs_in_next_does_not_get_what_somebody_else_typed(world: World) -> None:
    other = world.product.bootstrap("bob@example.com", "Umbra")
    page = world.page("/settings/")
    name = page.locator("form[action='/settings/rename/'] input[name=name]")
    name.fill("Nobody else's")
    _session_ends(page)
    name.press("Enter")
    page.get_by_label("E-mail").fill(other["email"])
    page.get_by_label("Password", exact=True).fill(other["password"])
    page.wait_for_load_state()
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/settings/")
    expect(name).to_have_value("Umbra")
    assert page.evaluate("sessionStorage.getItem('sealed:form')") is None


@pytest.mark.parametrize("how", ["ended", "renewed elsewhere"])
def test_an_act_in_the_builder_is_made_once_its_reader_is_signed_in_again(how: str, world: World) -> None:
    page = world.page(world.policy)
    tool = page.locator(".brow[data-row][aria-label^='delete_user,']")
    # A tool that no rule names is already denied, so denying it is not an act.
    chosen = "deny" if _rule(world) == "hide" else "hide"
    if how == "ended":
        _session_ends(page)
    else:
        world.signs_in_again_elsewhere(page)
    tool.locator(f"input[value={chosen}]").focus()
    page.keyboard.press(chosen[0])
    if how == "ended":
        expect(page).to_have_url(_SIGN_IN)
        assert not _readable(page, "delete_user", world.email)
        world.signs_in(page)
    wait_until(lambda: _rule(world) == chosen, "what was chosen is not in the draft")
    expect(tool.locator(f"input[value={chosen}]")).to_be_checked()


def _rule(world: World) -> str:
    """How the draft answers a call of delete_user."""
    document = json.loads(world.api.ask("GET", world.policy)["document"])
    hidden = "delete_user" in document.get("hide", [])
    return "hide" if hidden else document["tools"].get("delete_user", {}).get("action", "none")


def test_what_is_typed_into_the_json_is_there_once_its_reader_is_signed_in_again(world: World) -> None:
    page = world.page(world.policy)
    page.goto(f"{world.policy}?view=json")
    page.locator(".cm-content").click()
    page.wait_for_load_state()  # the editor appears before the script that saves its text
    page.keyboard.press("ControlOrMeta+Home")
    _session_ends(page)
    page.keyboard.insert_text("\n\n")
    expect(page).to_have_url(_SIGN_IN)
    assert not _readable(page, "list_users", world.email)
    world.signs_in(page)
    expect(page.locator("#draft")).to_contain_text("Draft, saved")
    wait_until(lambda: world.api.ask("GET", world.policy)["document"].startswith("\n\n"), "it was not saved")


def test_of_two_tabs_each_has_back_what_was_typed_into_it(world: World) -> None:
    path = f"{world.policy}?view=json"
    first = world.page(world.policy)
    second = first.context.new_page()
    for page in (first, second):
        page.goto(path)
        page.locator(".cm-content").click()
        page.keyboard.press("ControlOrMeta+Home")
    for page, typed in ((first, "    "), (second, " \n")):
        _session_ends(page)
        page.keyboard.insert_text(typed)
        expect(page).to_have_url(_SIGN_IN)
    world.signs_in(first)
    wait_until(lambda: world.api.ask("GET", world.policy)["document"].startswith("    "), "it was not saved")
    second.goto(path)
    expect(second.locator("#draft")).to_contain_text("Someone saved this policy while you were editing.")
    assert second.locator("#id_document").input_value().startswith(" \n")


def test_of_several_forms_sent_to_one_address_the_one_that_was_typed_into_has_it_back(world: World) -> None:
    page = world.page("/accounts/email/")
    for address in ("alice@quay.example", "alice@pier.example"):
        page.get_by_label("E-mail").fill(address)
        if address == "alice@pier.example":
            _session_ends(page)
        page.get_by_role("button", name="Add and send a link").click()
        page.wait_for_load_state()
    world.signs_in(page)
    expect(page.get_by_text("alice@quay.example").first).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value("alice@pier.example")
