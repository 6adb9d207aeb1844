"""The site's own files, as a browser is given them."""

from __future__ import annotations

import gzip

import pytest
from django.test import Client

from common.templatetags._assets import address

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
