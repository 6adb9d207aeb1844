import base64

import msgspec
import pytest

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.messages import Envelope
from gateway_config.wire.signing import KeyInvalid, SigningKey, VerifyKeys, new_signing_key, sign, verify

KEY = SigningKey.parse(new_signing_key("2026"))
KEYS = VerifyKeys.parse(KEY.verify_key())
BODY = b'{"format":1}'


def _envelope(key: SigningKey = KEY, body: bytes = BODY) -> Envelope:
    return sign(body, organization="acme", revision=7, not_before=1000, lease_seconds=300, key=key)


def test_what_was_signed_verifies() -> None:
    verify(_envelope(), BODY, KEYS)


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": "mallory"},
        {"revision": 8},
        {"hash": "0" * 64},
        {"not_before": 1001},
        {"lease_seconds": 301},
        {"signature": base64.b64encode(bytes(64)).decode()},
        {"signature": "not base64"},
        {"signature": ""},
        {"signature": "é"},
    ],
)
def test_nothing_of_the_envelope_can_be_changed(changes: dict[str, object]) -> None:
    with pytest.raises(BundleInvalid, match="signature is wrong"):
        verify(msgspec.structs.replace(_envelope(), **changes), BODY, KEYS)


def test_another_body_does_not_verify() -> None:
    with pytest.raises(BundleInvalid, match="not the one that was signed"):
        verify(_envelope(), BODY + b" ", KEYS)


def test_a_key_nobody_knows_does_not_verify_even_under_a_known_id() -> None:
    mallory = SigningKey.parse(new_signing_key("2026"))
    with pytest.raises(BundleInvalid, match="signature is wrong"):
        verify(_envelope(mallory), BODY, KEYS)
    with pytest.raises(BundleInvalid, match="does not know"):
        verify(_envelope(SigningKey.parse(new_signing_key("2027"))), BODY, KEYS)


def test_keys_are_changed_by_knowing_both_for_a_while() -> None:
    new = SigningKey.parse(new_signing_key("2027"))
    both = VerifyKeys.parse(f"{new.verify_key()}, {KEY.verify_key()}")
    verify(_envelope(), BODY, both)
    verify(_envelope(new), BODY, both)


@pytest.mark.parametrize("text", ["", "abc", "a:", "a:AAAA", "a b:AAAA", "a:!!!"])
def test_a_bad_key_is_told(text: str) -> None:
    with pytest.raises(KeyInvalid):
        SigningKey.parse(text)
    with pytest.raises(KeyInvalid):
        VerifyKeys.parse(text)


def test_a_signing_key_shows_nothing_of_itself() -> None:
    assert repr(KEY) == "SigningKey(2026)"
