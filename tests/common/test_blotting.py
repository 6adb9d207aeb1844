"""What of a server's credentials is looked for in its answers, and how it is found."""

from __future__ import annotations

import base64
import json
import re
from random import Random
from urllib.parse import quote

import pytest

from common.blotting import Blotting, Secrets

KEY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
ODD = "a+b/c=d<e>&'`f0123456789XYZ"


def of(value: str, name: str = "Authorization") -> Secrets | None:
    return Secrets.of({name: value}, "")


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'alice:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Region", "eu-central-1.example"),
        ("Notion-Version", "2022-06-28"),
        ("X-Model", "claude-sonnet-4-20250514"),
        ("X-Api-Key", "summer24"),
        ("X-Api-Key", "correct-horse-battery-staple-1"),
        ("X-Api-Key", "12345678901234567890"),
        ("X-Api-Key", "a1" * 20),
        ("X-Tenant-Id", "9f8e7d6c-1234-4abc-8def-0123456789ab"),
        ("tenantId", "9f8e7d6c-1234-4abc-8def-0123456789ab"),
        ("X-Callback", "https://app1.example.com/9f8e7d6c12344abc"),
        ("Authorization", basic("summer24")),
    ],
)
def test_what_can_be_guessed_or_is_no_secret_is_left_in_answers(name: str, value: str) -> None:
    assert of(value, name) is None


@pytest.mark.parametrize(
    ("name", "value", "echoed"),
    [
        ("Authorization", f"Bearer {KEY}", KEY),
        ("authorization", KEY, f"Bearer {KEY}"),
        ("X-User-Token", "9f8e7d6c-1234-4abc-8def-0123456789ab", "9f8e7d6c-1234-4abc-8def-0123456789ab"),
        ("Cookie", f"a=b; session={KEY}", f"session {KEY}"),
        ("Authorization", f'Token token="{KEY}"', KEY),
        ("Authorization", basic(KEY), basic(KEY)),
        ("Authorization", basic(KEY), KEY),
        ("X-Api-Key", "é" + KEY, "é" + KEY),
    ],
)
def test_a_credential_becomes_stars_of_its_length(name: str, value: str, echoed: str) -> None:
    secrets = of(value, name)
    assert secrets is not None
    shown = secrets.blot(f'{{"a":"<{echoed}>"}}'.encode())
    assert len(shown) == len(echoed.encode()) + 10 and b"****" in shown
    assert KEY.encode() not in shown and echoed.encode() not in shown


def test_what_an_address_hides_is_a_credential() -> None:
    secrets = Secrets.of({}, f"s/{KEY}/mcp?region=eu&key={quote(ODD, safe='')}")
    assert secrets is not None
    for echoed in (KEY, ODD, quote(ODD, safe="")):
        assert echoed.encode() not in secrets.blot(json.dumps([echoed, "/mcp", "region"]).encode())


@pytest.mark.parametrize("written", [
    ODD, ODD.replace("/", "\\/"), quote(ODD, safe=""),
    ODD.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "a\\u002Bb/c=d\\u003Ce\\u003E\\u0026\\u0027\\u0060f0123456789XYZ",
    "a\\\\u002Bb/c=d\\\\u003Ce\\\\u003E\\\\u0026\\\\u0027\\\\u0060f0123456789XYZ",
    "a+b/c\\u003dd\\u003ce\\u003e\\u0026\\u0027`f0123456789XYZ",
    re.sub("%..", lambda found: found[0].lower(), quote(ODD, safe="")),
])  # fmt: skip
def test_it_is_found_as_servers_write_it_into_json(written: str) -> None:
    secrets = of(ODD, "X-Api-Key")
    assert secrets is not None
    assert secrets.blot(f'["{written}"]'.encode()) == f'["{"*" * len(written)}"]'.encode()


@pytest.mark.parametrize("key", [KEY, ODD, "é" + KEY])
@pytest.mark.parametrize("slashes", ["/", "\\/"])
def test_it_is_found_in_a_file_that_is_packed_whole(key: str, slashes: str) -> None:
    """Resources and images come so, and what a cluster's secrets hold."""
    secrets = of(key, "X-Api-Key")
    assert secrets is not None
    for before in range(6):
        for after in range(3):
            whole = b"." * before + key.encode() + b"\n" * after
            packed = base64.b64encode(whole).decode()
            shown = secrets.blot(packed.replace("/", slashes).encode()).decode()
            assert len(shown) == len(packed.replace("/", slashes)) and "*" * 20 in shown
            left = base64.b64decode(shown.replace("*", "A").replace("\\", ""))
            assert not any(key.encode()[at : at + 2] in left for at in range(len(key.encode()) - 1))


def test_however_an_answer_is_cut_its_pieces_are_blotted_as_the_whole() -> None:
    chance, secrets = Random(20261122), of(f"{KEY},{ODD}", "X-Api-Key")
    assert secrets is not None
    parts = [KEY, ODD, KEY[:20], ODD[:9], "ghp_", "a+", " ", KEY[1:]]
    for _ in range(300):
        text = "".join(chance.choices(parts, k=8)).encode()
        cuts = sorted(chance.choices(range(len(text)), k=5))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        blotting = Blotting(secrets)
        given = [blotting.feed(piece) for piece in pieces]
        assert b"".join((*given, blotting.end())) == secrets.blot(text)
        for so_far in range(1, len(pieces)):
            behind = len(b"".join(pieces[:so_far])) - len(b"".join(given[:so_far]))
            assert behind < max(map(len, secrets.forms))


def test_a_piece_that_begins_nothing_is_not_held_back() -> None:
    blotting = Blotting(of(KEY, "X-Api-Key"))
    assert blotting.feed(b'{"text":"some words') == b'{"text":"some words'
    assert blotting.feed(b" and ghp_") == b" and "
    assert blotting.feed(b"none") == b"ghp_none"
    assert blotting.end() == b""


def test_many_and_odd_credentials_cost_an_answer_no_more_than_a_few_searches() -> None:
    headers = {f"X-{n}": ",".join(f"{n}{word}{ODD}" for word in range(200)) for n in range(16)}
    secrets = Secrets.of(headers, "")
    assert secrets is not None and len(secrets.forms) == 24
    assert secrets.blot(b"nothing of it") == b"nothing of it"


def test_what_only_looks_like_a_beginning_again_and_again_is_compared_a_few_times() -> None:
    class Counted(bytes):
        compared = 0

        def startswith(self, *given: object) -> bool:
            Counted.compared += 1
            return super().startswith(*given)  # type: ignore[arg-type]

    secrets = Secrets((Counted(b"a" * 8_000 + b"Zk9"),))
    blotting = Blotting(secrets)
    text = b"a" * 65_535 + b"b"
    said = blotting.feed(text) + blotting.feed(text) + blotting.end()
    assert said == text + text
    assert 0 < Counted.compared <= 8
