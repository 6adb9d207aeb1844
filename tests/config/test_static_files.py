"""The site's own files, as a browser is given them."""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client

from accounts.models import Membership
from common.templatetags._assets import address
from policies.services import create_policy
from tests.cast import Acme, Cast, inside

SCRIPT = "/static/dist/app.js"


def body(answer: object) -> bytes:
    streaming = getattr(answer, "streaming", False)
    return b"".join(answer.streaming_content) if streaming else answer.content  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["app.js", "app.css", "icons.svg"])
def test_texts_are_packed_for_who_takes_that(name: str) -> None:
    plain, packed = (
        Client().get(f"/static/dist/{name}", headers={"Accept-Encoding": encodings})
        for encodings in ("identity", "gzip, deflate, br")
    )
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body(packed)) == body(plain)
    assert (
        int(packed.headers["Content-Length"])
        == len(packed.content)
        < int(plain.headers["Content-Length"]) / 2
    )
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"] and "ETag" not in packed.headers


@pytest.mark.parametrize("encodings", ["", "gzip;q=0", "x-gzip2", "br"])
def test_who_does_not_take_it_is_given_the_file(encodings: str) -> None:
    assert "Content-Encoding" not in Client().get(SCRIPT, headers={"Accept-Encoding": encodings}).headers


def test_a_file_under_the_address_of_its_bytes_is_kept_for_ever_and_under_no_other() -> None:
    assert "immutable" in Client().get(address("app.js")).headers["Cache-Control"]
    for other in ("", "?v=", "?v=0123456789", "?v=%00"):
        assert "immutable" not in Client().get(SCRIPT + other).headers["Cache-Control"]


def test_parts_heads_and_what_did_not_change_are_answered_as_ever() -> None:
    takes = {"Accept-Encoding": "gzip"}
    part = Client().get(SCRIPT, headers={**takes, "Range": "bytes=0-9"})
    assert part.status_code == 206 and len(body(part)) == 10 and "Content-Encoding" not in part.headers
    assert body(Client().head(SCRIPT, headers=takes)) == b""
    since = Client().get(SCRIPT, headers=takes).headers["Last-Modified"]
    assert Client().get(SCRIPT, headers={**takes, "If-Modified-Since": since}).status_code == 304
    assert Client().post(SCRIPT).status_code == 405
    assert Client().get("/static/dist/no.js").status_code == 404


# ---- whatever a page names
PAGES = ("/", "/catalogue/", "/accounts/login/", "/accounts/signup/", "/api/docs/", "/nowhere/")
OF_MEMBERS = ("/overview/?stay=1", "/log/", "/policies/{policy}/?view=json", "/approvals/", "/settings/")
NAMES = re.compile(r"""(?:href|src)=["']([^"'#]+)|url\((?!data:|#)["']?([^)"']+)""")


def named_in(text: str, base: str) -> set[str]:
    """Addresses of our own files in a page or a style sheet."""
    whole = {urljoin(base, html.unescape(one or other)) for one, other in NAMES.findall(text)}
    return {found for found in whole if found.startswith("/static/")}


def assert_kept_for_ever(named: str) -> None:
    answer = Client().get(named)
    assert answer.status_code == 200, named
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", named
    content = body(answer)
    assert named.endswith(f"?v={hashlib.sha256(content).hexdigest()[:10]}"), named
    if urlsplit(named).path.endswith(".css"):
        for inner in named_in(content.decode(), named):
            assert_kept_for_ever(inner)


def test_every_file_that_a_page_names_is_named_by_its_bytes_and_kept_for_ever(
    cast: Cast, acme: Acme, signed_in: Callable[[Membership], Client]
) -> None:
    alice = signed_in(cast.alice)
    with inside(cast.alice):
        policy = create_policy(cast.alice, acme.server, "p", '{"version": "1", "default": "deny"}').public_id
    texts = {path: Client().get(path).content.decode() for path in PAGES}
    for path in OF_MEMBERS:
        texts[path] = alice.get(path.format(policy=policy)).content.decode()
    named = {path: named_in(text, path) for path, text in texts.items()}
    assert all(named.values()), {path for path, found in named.items() if not found}
    everything = set().union(*named.values())
    kinds = {urlsplit(one).path.rpartition("/")[2].partition(".")[0] for one in everything}
    assert kinds >= {"mark", "app", "theme", "htmx-2", "icons", "editor", "builder"}
    for one in everything:
        assert_kept_for_ever(one)


def test_the_fonts_of_the_style_sheet_are_named_by_their_bytes() -> None:
    sheet = address("app.css")
    fonts = {font for font in named_in(body(Client().get(sheet)).decode(), sheet) if "woff2" in font}
    assert {urlsplit(font).path.rpartition("/")[2] for font in fonts} == {"geist.woff2", "mono.woff2"}
    for font in fonts:
        assert_kept_for_ever(font)
