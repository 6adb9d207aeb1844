"""What of a server's address is told, and what may be a key and is not."""

from __future__ import annotations

import random
import string

import pytest

from servers.addresses import address_of


@pytest.mark.parametrize(
    "url",
    [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com:8443/mcp",
        "http://127.0.0.1:9000/mcp/",
        "https://mcp.example.com/api/v1/github-copilot/2025-06-18/MCP",
        "https://mcp.example.com/@example/iam_server.v2/mcp",
    ],
)
def test_a_path_of_words_is_told(url: str) -> None:
    address = address_of(url)
    assert (address.place, address.shown, address.rest, address.query) == (url, url, "", "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/mcp?key=1", "https://h.example/mcp?…"),
        ("https://h.example?key=1", "https://h.example?…"),
        ("https://h.example/api/mcp/s/NDk4ZTQ3YjMtZWQ/mcp", "https://h.example/api/mcp/s/…"),
        ("https://h.example/01a200bc-e344-71da-9b47-57a412a222bf/sse", "https://h.example/…"),
        ("https://h.example/s/sk_live_51H8qRz9TtYw/mcp?a=b", "https://h.example/s/…?…"),
        ("https://h.example/a%2fb/mcp", "https://h.example/…"),
        ("https://h.example/hunter20051/mcp", "https://h.example/…"),
    ],
)
def test_what_may_be_a_key_is_not_told(url: str, shown: str) -> None:
    address = address_of(url)
    assert address.shown == shown
    assert "?".join(filter(None, (address.place + address.rest, address.query))) == url
    assert address.place.endswith("/") or not address.rest


def test_no_key_a_machine_made_is_told() -> None:
    chance = random.Random(11)
    for letters in (
        string.hexdigits.lower()[:16],
        string.ascii_letters + string.digits,
        string.printable[:62],
    ):
        for length in (16, 24, 32, 43):
            for _ in range(200):
                key = "".join(chance.choices(letters, k=length))
                assert key not in address_of(f"https://h.example/mcp/{key}/sse").shown
