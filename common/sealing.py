"""Authenticated encryption at rest.

A sealed text is `v1.<key id>.<nonce>.<ciphertext>`: AES-256-GCM, bound to the organization, the subject and
the purpose it was sealed for, so that a row moved to another tenant or put to another use does not open.
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = "v1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class SealingError(Exception):
    """Never holds a key or anything that was sealed."""


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The first key seals, every key opens: keys are rotated by putting a new one in front."""

    first: str
    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        keys: dict[str, bytes] = {}
        for place, part in enumerate(text.split(","), start=1):
            key_id, key = _parse_key(part.strip(), place)
            if key_id in keys:
                raise SealingError(f"the key id {key_id} appears twice")
            keys[key_id] = key
        return cls(first=next(iter(keys)), keys=keys)

    def seal(self, plaintext: bytes, *, organization: str, subject: str, purpose: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound_to(self.first, organization, subject, purpose)
        ciphertext = AESGCM(self.keys[self.first]).encrypt(nonce, plaintext, bound)
        return ".".join((_VERSION, self.first, _encode(nonce), _encode(ciphertext)))

    def open(self, sealed: str, *, organization: str, subject: str, purpose: str) -> bytes:
        version, key_id, nonce, ciphertext = _parts(sealed)
        if version != _VERSION:
            raise SealingError("this was sealed by another version of the product")
        key = self.keys.get(key_id)
        if key is None:
            raise SealingError("the key this was sealed with is not among the keys")
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, _bound_to(key_id, organization, subject, purpose))
        except (InvalidTag, ValueError):
            raise SealingError("this was changed, or sealed for something else") from None

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.keys)})"


def _bound_to(key_id: str, organization: str, subject: str, purpose: str) -> bytes:
    # JSON, not a join: no choice of names can make two different bindings the same text.
    return json.dumps([_VERSION, key_id, organization, subject, purpose]).encode()


def _parse_key(part: str, place: int) -> tuple[str, bytes]:
    key_id, separator, encoded = part.partition(":")
    if not separator or not _KEY_ID.fullmatch(key_id):
        raise SealingError(f"key {place} must be written id:base64, the id of letters, digits, - and _")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise SealingError(f"the key {key_id} is not base64") from None
    if len(key) != _KEY_BYTES:
        raise SealingError(f"the key {key_id} must be {_KEY_BYTES} bytes in base64, it is {len(key)}")
    return key_id, key


def _parts(sealed: str) -> tuple[str, str, bytes, bytes]:
    parts = sealed.split(".")
    if len(parts) != 4:
        raise SealingError("this is not a sealed text")
    try:
        return parts[0], parts[1], _decode(parts[2]), _decode(parts[3])
    except (binascii.Error, ValueError):
        raise SealingError("this is not a sealed text") from None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
