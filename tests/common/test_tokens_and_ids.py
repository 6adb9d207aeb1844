import hashlib
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ids import new_uuid, parse_public_id, public_id
from common.tokens import API_KEY, GRANT, INVITATION, PREFIXES, WORKER, is_well_formed, new_token, token_hash


@pytest.mark.parametrize("prefix", [GRANT, API_KEY, WORKER, INVITATION])
def test_a_new_token_is_well_formed_for_its_own_prefix_only(prefix: str) -> None:
    token = new_token(prefix)
    assert re.fullmatch(prefix + "[0-9A-Za-z]{33}", token)
    assert [other for other in PREFIXES if is_well_formed(token, other)] == [prefix]


def test_a_token_with_one_letter_changed_is_junk() -> None:
    token = new_token(GRANT)
    for place in range(len(token)):
        for letter in "0aZ_é":
            changed = token[:place] + letter + token[place + 1 :]
            assert changed == token or not is_well_formed(changed, GRANT)


@given(st.text())
def test_junk_has_a_hash_and_is_not_well_formed(junk: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", token_hash(junk))
    assert not is_well_formed(junk, GRANT)


def test_the_hash_is_plain_sha_256() -> None:
    token = new_token(WORKER)
    assert token_hash(token) == hashlib.sha256(token.encode()).hexdigest()


def test_a_prefix_nobody_knows_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="no prefix of a token"):
        new_token("plg")


def test_a_thousand_tokens_are_a_thousand() -> None:
    assert len({new_token(GRANT) for _ in range(1000)}) == 1000


@given(st.uuids())
def test_an_id_reads_back_and_is_26_letters_after_its_prefix(uuid: UUID) -> None:
    text = public_id("srv", uuid)
    assert re.fullmatch("srv_[0-9a-hjkmnp-tv-z]{26}", text)
    assert parse_public_id("srv", text) == uuid


@given(st.text(max_size=40))
def test_anything_else_is_no_id(junk: str) -> None:
    with pytest.raises(ValueError, match="not an id that begins with srv_"):
        parse_public_id("srv", junk)


def test_one_id_has_one_spelling() -> None:
    text = public_id("srv", UUID("01a1fd5a-2c7e-7166-b865-5f61d02098a7"))
    bare = text[4:]
    others = (text.upper(), text + "0", text[:-1], f"pol_{bare}", f"srv_8{bare[1:]}", text[:-1] + "l")
    for other in (*others, f" {text}", f"{text}\n", f"srv-{bare}", bare, "srv_", ""):
        with pytest.raises(ValueError, match="not an id"):
            parse_public_id("srv", other)


def test_later_ids_sort_later_and_are_version_7() -> None:
    uuids = [new_uuid() for _ in range(100)]
    assert uuids == sorted(uuids)
    assert {uuid.version for uuid in uuids} == {7}
