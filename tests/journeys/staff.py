"""Signs in as staff who show their second factor, and finds the pages that only they see."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from playwright.sync_api import Page

from tests.journeys.paths import OF_STAFF
from tests.journeys.product import ROOT, RunningProduct
from tests.journeys.second_step import prove_it, six_digits

QUEUES: Final = ("/catalogue/reports/", "/catalogue/messages/")
LISTS: Final = ("/admin/", "/admin/accounts/", "/admin/catalog/", *(f"/admin/{model}/" for model in OF_STAFF))
# One of each, to find its route; which one there is, only the lists know.
SINGLE: Final = tuple(f"/admin/{model}/1/change/" for model in OF_STAFF)


def make_staff(product: RunningProduct, page: Page, email: str, password: str) -> None:
    """Make the account that is signed in on the page staff; show its new second factor in this session."""
    command = [sys.executable, "manage.py", "staff", "add", email, "--data-dir", str(product.data_dir)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=180)
    prove_it(page, "/accounts/2fa/totp/activate/", password)
    secret = page.get_by_label("Or type this key into the app").inner_text().strip()
    page.get_by_label("Six digits").fill(six_digits(secret))
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.goto(QUEUES[0])
    # A code counts once, and the last one was just used.
    page.get_by_label("Code").fill(six_digits(secret, steps_ahead=1))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"**{QUEUES[0]}")


def tell_staff(page: Page) -> None:
    """Send them, as a visitor, a message and a report of a wrong label."""
    page.goto("/contact/")
    page.get_by_label("Your e-mail").fill("a.person.with.a.long.name.indeed@department.example.com")
    page.get_by_label("About").fill("a_name_that_does_not_end_" * 4)
    page.get_by_label("Message", exact=True).fill("What is read as Write?\n" * 12)
    page.get_by_role("main").get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Message sent").wait_for()
    page.goto("/catalogue/wrong-label/?server=awslabs-iam-mcp-server&tool=create_access_key")
    page.get_by_label("It should be").select_option("Read")
    page.get_by_role("main").get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Thank you").wait_for()


def pages_of_staff(page: Page) -> Iterator[str]:
    """Yield each list and the first thing on it, if there is one."""
    yield from QUEUES
    for path in LISTS:
        yield path
        page.goto(path)
        first = page.locator("#result_list th a").first
        if first.count():
            yield str(first.get_attribute("href"))
