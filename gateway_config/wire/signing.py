"""Ed25519 over the envelope: a gateway takes bundles from whoever can sign, not whoever can answer it."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.messages import Envelope

# Signed with everything else, so that a signature made for another purpose is not valid for this one.
_PURPOSE: Final = "policylayer bundle 1"
_KEY_BYTES: Final = 32
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyInvalid(Exception):  # noqa: N818
    """Something in the environment is not a key. The message never holds it."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    key_id: str
    private: Ed25519PrivateKey

    @classmethod
    def parse(cls, text: str) -> Self:
        key_id, seed = _parse_key(text.strip())
        return cls(key_id, Ed25519PrivateKey.from_private_bytes(seed))

    def verify_key(self) -> str:
        """The public half, as written in VERIFY_KEYS."""
        public = self.private.public_key().public_bytes_raw()
        return f"{self.key_id}:{base64.b64encode(public).decode('ascii')}"

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


@dataclass(frozen=True, slots=True)
class VerifyKeys:
    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def parse(cls, text: str) -> Self:
        keys: dict[str, Ed25519PublicKey] = {}
        for part in text.split(","):
            key_id, public = _parse_key(part.strip())
            if key_id in keys:
                raise KeyInvalid(f"the key id {key_id} appears twice")
            keys[key_id] = Ed25519PublicKey.from_public_bytes(public)
        return cls(keys)


def new_signing_key(key_id: str) -> str:
    """A new key, as written in SIGNING_KEY."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode('ascii')}"


def body_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def sign(
    body: bytes, *, organization: str, revision: int, not_before: int, lease_seconds: int, key: SigningKey
) -> Envelope:
    digest = body_hash(body)
    signed = _signed_bytes(organization, revision, digest, not_before, lease_seconds, key.key_id)
    return Envelope(
        organization=organization,
        revision=revision,
        hash=digest,
        not_before=not_before,
        lease_seconds=lease_seconds,
        key_id=key.key_id,
        signature=base64.b64encode(key.private.sign(signed)).decode("ascii"),
    )


def verify(envelope: Envelope, body: bytes, keys: VerifyKeys) -> None:
    """Raises BundleInvalid unless one of the keys signed this envelope for exactly this body."""
    key = keys.keys.get(envelope.key_id)
    if key is None:
        raise BundleInvalid("the bundle is signed with a key this gateway does not know")
    signed = _signed_bytes(
        envelope.organization,
        envelope.revision,
        envelope.hash,
        envelope.not_before,
        envelope.lease_seconds,
        envelope.key_id,
    )
    try:
        key.verify(base64.b64decode(envelope.signature, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        raise BundleInvalid("the bundle's signature is wrong") from None
    if not hmac.compare_digest(body_hash(body), envelope.hash):
        raise BundleInvalid("the bundle's body is not the one that was signed")


def _signed_bytes(
    organization: str, revision: int, digest: str, not_before: int, lease_seconds: int, key_id: str
) -> bytes:
    return json.dumps([_PURPOSE, organization, revision, digest, not_before, lease_seconds, key_id]).encode()


def _parse_key(text: str) -> tuple[str, bytes]:
    key_id, separator, encoded = text.partition(":")
    if not separator or not _KEY_ID.fullmatch(key_id):
        raise KeyInvalid("a key must be written id:base64, the id of letters, digits, - and _")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyInvalid(f"the key {key_id} is not base64") from None
    if len(key) != _KEY_BYTES:
        raise KeyInvalid(f"the key {key_id} must be {_KEY_BYTES} bytes in base64, it is {len(key)}")
    return key_id, key
