"""Acts as an authenticator app, and visits the pages around it in the order in which a person would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Iterator

from playwright.sync_api import Page

BEFORE = (
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/reauthenticate/",
    "/accounts/logout/",
)
AFTER = (
    "/accounts/2fa/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/reauthenticate/",
)


def six_digits(secret: str, steps_ahead: int = 0) -> str:
    """The code that every authenticator app would show (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps_ahead), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def pages_of_a_second_step(page: Page, email: str, password: str) -> Iterator[str]:
    """Yield paths to look at, in an order in which each page shows what it is for."""
    for path in BEFORE:
        prove_it(page, path, password)
        yield path
    prove_it(page, BEFORE[0], password)
    secret = page.get_by_label("Or type this key into the app").inner_text().strip()
    page.get_by_label("Six digits").fill(six_digits(secret))
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    for path in AFTER:
        prove_it(page, path, password)
        yield path
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/2fa/authenticate/")
    yield "/accounts/2fa/authenticate/"


def prove_it(page: Page, path: str, password: str) -> None:
    """Open a page, giving the password again if it asks for it."""
    page.goto(path)
    if "/reauthenticate/" in page.url and "/reauthenticate/" not in path:
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url(lambda url: "/reauthenticate/" not in url)
