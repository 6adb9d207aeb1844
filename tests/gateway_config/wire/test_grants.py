"""Many grants stand in parts beside the bundle, which names them by their digests."""

import json
from typing import Any

import msgspec
import pytest

from common.tokens import token_digest
from gateway_config.wire.bundle import MOST_PARTS, Bundle, BundleGrant, BundleInvalid
from gateway_config.wire.codec import decode_bundle, encode_bundle, named_parts
from gateway_config.wire.grants import LoadedPart, load_part, part_digest, part_of_token, parts_of
from gateway_config.wire.loader import LoadedOrganization, load_organization
from policies.language.decide import decide
from policies.language.decision import ToolCall
from tests.gateway_config.wire.bundles import IAM, REVISION, TOKEN, acme, an_id, in_parts

MANY = acme(grants=300)


def held(bodies: list[bytes]) -> dict[str, LoadedPart]:
    return {part.digest: part for part in map(load_part, bodies)}


def load(bundle: Bundle, bodies: list[bytes]) -> LoadedOrganization:
    return load_organization(encode_bundle(bundle), held(bodies))


@pytest.mark.parametrize("of", [1, 2, 64, MOST_PARTS])
def test_in_parts_or_not_the_same_grants_are_found(of: int) -> None:
    inside, beside = load_organization(encode_bundle(MANY)), load(*in_parts(MANY, of))
    assert len(beside.grants) == 300 and set(beside.grants) == set(inside.grants)
    for token, grant in inside.grants.items():
        found = beside.grants[token]
        assert (found.id, found.server, found.policy_id) == (grant.id, grant.server, grant.policy_id)
    call = ToolCall("list_users", {})
    compiled = beside.grants[token_digest(TOKEN)].compiled
    assert decide(compiled, call) == decide(inside.grants[token_digest(TOKEN)].compiled, call)
    assert token_digest("nobody's") not in beside.grants


def test_an_edit_of_a_policy_leaves_every_part_as_it_is() -> None:
    bundle, bodies = in_parts(MANY)
    edited = msgspec.structs.replace(MANY.policies[0], id=an_id(77), number=4)
    again, same = in_parts(
        msgspec.structs.replace(
            MANY,
            policies=(edited,),
            grants=tuple(msgspec.structs.replace(one, policy=edited.id) for one in MANY.grants),
        )
    )
    assert same == bodies and again.parts == bundle.parts
    assert load(again, bodies).grants[token_digest(TOKEN)].policy_id == edited.id


def test_a_bundle_without_parts_says_nothing_of_them_so_that_older_gateways_read_it() -> None:
    assert "parts" not in json.loads(encode_bundle(MANY))
    assert json.loads(encode_bundle(MANY))["format"] == 1
    assert named_parts(encode_bundle(MANY)) == ()
    bundle, _ = in_parts(MANY)
    assert named_parts(encode_bundle(bundle)) == bundle.parts


def test_what_the_bundle_does_not_hold_is_not_served_or_denies() -> None:
    """A part outlives servers and revisions; in doubt it opens nothing."""
    bundle, bodies = in_parts(MANY)
    assert len(load(msgspec.structs.replace(bundle, servers=()), bodies).grants) == 0
    grant = load(msgspec.structs.replace(bundle, policies=()), bodies).grants[token_digest(TOKEN)]
    assert decide(grant.compiled, ToolCall("create_access_key", {})).code == "no_policy"


BUNDLE, BODIES = in_parts(MANY)


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        (msgspec.structs.replace(BUNDLE, format=1), "neither in it nor in its parts"),
        (msgspec.structs.replace(BUNDLE, parts=msgspec.UNSET), "neither in it nor in its parts"),
        (msgspec.structs.replace(BUNDLE, parts=()), "neither in it nor in its parts"),
        (msgspec.structs.replace(BUNDLE, grants=MANY.grants), "neither in it nor in its parts"),
        (msgspec.structs.replace(BUNDLE, parts=BUNDLE.parts[:-1]), "do not make a whole"),  # type: ignore[index]
        (msgspec.structs.replace(BUNDLE, parts=BUNDLE.parts[::-1]), "do not make a whole"),  # type: ignore[index]
        (msgspec.structs.replace(BUNDLE, parts=BUNDLE.parts[:1] * 4), "do not make a whole"),  # type: ignore[index]
        (msgspec.structs.replace(BUNDLE, parts=("0" * 64,)), f"part {'0' * 64} of .* is missing"),
        (msgspec.structs.replace(BUNDLE, parts=("0" * 64,) * (MOST_PARTS + 1)), "cannot be read"),
        (msgspec.structs.replace(BUNDLE, parts=("../../etc/passwd",)), "cannot be read"),
        (msgspec.structs.replace(BUNDLE, policies=MANY.policies * 2), "appears twice"),
    ],
)
def test_what_does_not_make_a_whole_is_not_loaded_at_all(bundle: Bundle, says: str) -> None:
    with pytest.raises(BundleInvalid, match=says):
        load(bundle, BODIES)


FIRST = json.loads(BODIES[0])


def _part(**changes: Any) -> bytes:
    return json.dumps({**FIRST, **changes}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        _part(surprise=1),
        _part(number=-1),
        _part(number=MOST_PARTS),
        _part(number=1),
        _part(of=0),
        _part(of=MOST_PARTS + 1),
        _part(kinds=[]),
        _part(kinds=[["Acme", None]]),
        _part(grants=FIRST["grants"] * 2),
        _part(grants=[[an_id(1), "0" * 63, 0, None]]),
        _part(grants=[[an_id(1), "0" * 63 + "G", 0, None]]),
        _part(grants=[[an_id(1), "0" * 64, -1, None]]),
        _part(grants=[[an_id(1), "0" * 64, 0, 1.5]]),
        _part(grants=[[an_id(1)[:-1] + "/", "0" * 64, 0, None]]),
    ],
)
def test_what_is_no_part_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(BundleInvalid):
        load_part(body)


def test_a_part_is_known_by_its_bytes_alone() -> None:
    read = decode_bundle(encode_bundle(BUNDLE)).parts
    assert read and load_part(BODIES[0]).digest == part_digest(BODIES[0]) == read[0]
    assert load_part(BODIES[0] + b" ").digest != part_digest(BODIES[0])


@pytest.mark.parametrize("of", [1, 2, 32, MOST_PARTS])
def test_the_parts_share_all_tokens_out_among_them(of: int) -> None:
    places = [part_of_token(bytes([first]) + bytes(31), of) for first in range(256)]
    assert places == sorted(places) and set(places) == set(range(of))


def test_one_part_and_many_share_what_was_compiled() -> None:
    grants = load(BUNDLE, BODIES).grants
    assert len({id(grant.compiled) for grant in grants.values()}) == 1
    lone = BundleGrant(an_id(500), "f" * 64, IAM, None)
    bundle = msgspec.structs.replace(MANY, grants=(*MANY.grants, lone))
    mixed = load(*in_parts(bundle)).grants
    assert {grant.policy_id for grant in mixed.values()} == {REVISION, None}
    assert len(parts_of(MANY, {})) == 1
