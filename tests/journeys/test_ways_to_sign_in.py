"""Second steps of signing in (an app, recovery codes, a passkey), and the list of sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.browser import FLAGS, chromium
from tests.journeys.product import running_product
from tests.journeys.second_step import six_digits

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(600)]

# Like the platform's own authenticator: it verifies its user, and confirms presence without a touch.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass(frozen=True, slots=True)
class World:
    browser: Browser
    web: str
    email: str
    password: str

    def page(self) -> Page:
        page = self.browser.new_context(base_url=self.web).new_page()
        page.set_default_timeout(60_000)
        return page

    def gives_the_password(self, page: Page) -> None:
        page.goto("/accounts/login/?next=/servers/")
        page.get_by_label("E-mail").fill(self.email)
        page.get_by_label("Password", exact=True).fill(self.password)
        page.get_by_role("button", name="Sign in", exact=True).click()

    def is_in(self, page: Page) -> None:
        page.wait_for_url(f"{self.web}/servers/")

    def proves_it(self, page: Page, path: str) -> None:
        page.goto(path)
        if "/reauthenticate/" in page.url:
            page.get_by_label("Password", exact=True).fill(self.password)
            page.get_by_role("button", name="Go on").click()
            page.wait_for_url(f"**{path}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    program = chromium()
    with running_product(tmp_path_factory.mktemp("product")) as product, sync_playwright() as playwright:
        made = product.bootstrap("alice@example.com", "Acme")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        yield World(browser, product.web, made["email"], made["password"])
        browser.close()


def _signs_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.locator("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "/logout/" not in url)


def _code(page: Page, code: str) -> None:
    page.wait_for_url("**/2fa/authenticate/**")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_each_second_step_signs_in_once_and_a_session_is_ended_from_another(world: World) -> None:
    page = world.page()
    world.gives_the_password(page)
    world.is_in(page)

    world.proves_it(page, "/accounts/2fa/totp/activate/")
    secret = re.findall(r"\b[A-Z2-7]{32}\b", page.locator("main").inner_text())[0]
    page.get_by_label("Six digits").fill(six_digits(secret))
    page.get_by_role("button", name="Switch it on").click()
    page.wait_for_url("**/recovery-codes/**")
    codes = re.findall(r"\b[0-9a-f]{8}\b", page.locator("main").inner_text())
    assert len(set(codes)) == 10

    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    world.proves_it(page, "/accounts/2fa/webauthn/add/")
    page.get_by_label("Sign in with it alone").check()
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url(lambda url: "/add/" not in url)

    _signs_out(page)
    page.goto("/accounts/login/?next=/servers/")
    page.get_by_role("button", name="Use a passkey").click()
    world.is_in(page)

    _signs_out(page)
    world.gives_the_password(page)
    page.get_by_role("button", name="Use a security key or passkey").click()
    world.is_in(page)

    _signs_out(page)
    world.gives_the_password(page)
    _code(page, six_digits(secret, 1))
    world.is_in(page)

    other = world.page()
    world.gives_the_password(other)
    _code(other, codes[0])
    world.is_in(other)
    third = world.page()
    world.gives_the_password(third)
    _code(third, codes[0])
    expect(third.get_by_text("You are not signed in yet.")).to_be_visible()

    page.goto("/accounts/sessions/")
    expect(page.locator("main tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.get_by_text("Only this browser is signed in.")).to_be_visible()
    other.goto("/servers/")
    assert "/accounts/login/" in other.url
    page.goto("/servers/")
    world.is_in(page)
