import base64

import pytest

from common.sealing import Keyring, SealingError

OLD = "2025:" + base64.b64encode(bytes(range(32))).decode()
NEW = "2026:" + base64.b64encode(bytes(range(32, 64))).decode()
ACME = {"organization": "acme", "subject": "github", "purpose": "upstream-headers"}


def test_what_was_sealed_opens_for_the_same_organization_subject_and_purpose() -> None:
    keyring = Keyring.parse(OLD)
    sealed = keyring.seal(b'{"Authorization": "Bearer hush"}', **ACME)
    assert sealed.startswith("v1.2025.")
    assert sealed.count(".") == 3
    assert keyring.open(sealed, **ACME) == b'{"Authorization": "Bearer hush"}'


@pytest.mark.parametrize("changed", ["organization", "subject", "purpose"])
def test_what_was_sealed_for_one_thing_does_not_open_for_another(changed: str) -> None:
    keyring = Keyring.parse(OLD)
    sealed = keyring.seal(b"secret", **ACME)
    with pytest.raises(SealingError):
        keyring.open(sealed, **{**ACME, changed: "mallory"})


def test_moving_a_letter_between_two_bound_names_does_not_open() -> None:
    keyring = Keyring.parse(OLD)
    sealed = keyring.seal(b"secret", organization="ab", subject="c", purpose="p")
    with pytest.raises(SealingError):
        keyring.open(sealed, organization="a", subject="bc", purpose="p")


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed_before = Keyring.parse(OLD).seal(b"secret", **ACME)
    both = Keyring.parse(f"{NEW}, {OLD}")
    assert both.open(sealed_before, **ACME) == b"secret"
    assert both.seal(b"secret", **ACME).startswith("v1.2026.")
    with pytest.raises(SealingError, match="not among the keys"):
        Keyring.parse(NEW).open(sealed_before, **ACME)


def test_any_changed_character_is_noticed() -> None:
    keyring = Keyring.parse(OLD)
    sealed = keyring.seal(b"secret", **ACME)
    for place, letter in enumerate(sealed):
        changed = sealed[:place] + ("A" if letter != "A" else "B") + sealed[place + 1 :]
        try:
            opened = keyring.open(changed, **ACME)
        except SealingError:
            continue
        # The last letter of base64 may hold bits that say nothing.
        assert opened == b"secret"


def test_two_seals_of_one_text_differ() -> None:
    keyring = Keyring.parse(OLD)
    assert keyring.seal(b"secret", **ACME) != keyring.seal(b"secret", **ACME)


@pytest.mark.parametrize(
    "text", ["", "junk", "v1.2025.x", "v2.2025.AAAA.AAAA", "v1.2025.AAAA.AAAA", "v1.2025..", "v1.2025.é.é"]
)
def test_junk_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(SealingError):
        Keyring.parse(OLD).open(text, **ACME)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "key 1 must be written"),
        ("noseparator", "key 1 must be written"),
        (f"{OLD},", "key 2 must be written"),
        ("a.b:AAAA", "key 1 must be written"),
        ("a:not base64!", "the key a is not base64"),
        ("a:AAAA", "must be 32 bytes in base64, it is 3"),
        (f"{OLD},{OLD}", "2025 appears twice"),
    ],
)
def test_bad_keys_are_told_without_showing_them(text: str, says: str) -> None:
    with pytest.raises(SealingError, match=says) as told:
        Keyring.parse(text)
    assert "not base64!" not in str(told.value)


def test_a_keyring_shows_no_key() -> None:
    assert repr(Keyring.parse(f"{NEW},{OLD}")) == "Keyring(2026, 2025)"
