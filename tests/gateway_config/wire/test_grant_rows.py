"""A grant is found by its whole token, in whatever order they came and however alike two of them begin."""

import random

import pytest

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.grant_rows import NO_ROWS, PartGrant, Rows, beginning
from tests.gateway_config.wire.bundles import an_id

ALIKE = "ab" * 8


def rows(*tokens: str, ends: dict[str, int] | None = None) -> Rows:
    found = (ends or {}).get
    return Rows.of(
        [PartGrant(an_id(number), token, number, found(token)) for number, token in enumerate(tokens)]
    )


def test_every_grant_is_found_with_what_is_known_of_it_and_no_other() -> None:
    tokens = [random.Random(seed).randbytes(32).hex() for seed in range(500)]
    found = rows(*tokens, ends={tokens[7]: 12, tokens[8]: 0})
    for number, token in enumerate(tokens):
        end = {7: 12, 8: 0}.get(number)
        assert found[bytes.fromhex(token)] == (an_id(number), number, end)
    assert sorted(found) == sorted(map(bytes.fromhex, tokens)) and len(found) == 500
    assert random.Random(501).randbytes(32) not in found
    assert bytes(32) not in found and b"\xff" * 32 not in found


def test_tokens_that_begin_alike_are_told_apart() -> None:
    tokens = [ALIKE + f"{number:048x}" for number in (5, 1, 9)]
    found = rows(*tokens)
    assert [found[bytes.fromhex(token)][1] for token in tokens] == [0, 1, 2]
    assert bytes.fromhex(ALIKE + f"{4:048x}") not in found
    assert found.at(0, bytes.fromhex(tokens[0])) is None
    assert found.at(3, bytes.fromhex(tokens[0])) is None
    assert list(found.beginnings) == 3 * [beginning(bytes.fromhex(tokens[0]))]


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert bytes(32) not in NO_ROWS and NO_ROWS.at(0, bytes(32)) is None and list(NO_ROWS) == []


@pytest.mark.parametrize("token", ["", "ab", ALIKE])
def test_what_is_no_token_is_not_found(token: str) -> None:
    assert bytes.fromhex(token) not in rows(ALIKE + "00" * 24)


def test_one_token_of_two_grants_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="another grant's, too"):
        rows("cd" * 32, "ab" * 32, "cd" * 32)


@pytest.mark.parametrize("end", [2**63, -(2**63) - 1, 2**64])
def test_an_end_that_no_clock_reaches_is_refused(end: int) -> None:
    with pytest.raises(BundleInvalid, match="not a time"):
        rows("ab" * 32, ends={"ab" * 32: end})
