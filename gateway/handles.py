"""Server handles reach clients only wrapped: a handle given to one grant is useless to any other."""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.sealing import Keyring
from gateway.admitted import Admitted

Kind = Literal["session", "event", "task", "state"]

_MAC_BYTES: Final = 20


class Handles:
    """The keys are derived from the bundle keys, so that every worker wraps and unwraps alike.

    The first key wraps, all of them unwrap: sessions and tasks go on while keys are being changed.
    """

    def __init__(self, keyring: Keyring) -> None:
        others = [key for name, key in keyring.keys.items() if name != keyring.first]
        self._key, *self._earlier = map(_derived, [keyring.keys[keyring.first], *others])

    def wrap(self, kind: Kind, owner: Admitted, handle: bytes, bound: Sequence[str] = ()) -> bytes:
        """`bound`: what else the handle is to be tied to, such as one tool."""
        return _encode(handle) + b"." + _encode(_mac(self._key, _named(kind, owner, bound) + handle))

    def unwrap(self, kind: Kind, owner: Admitted, wrapped: bytes, bound: Sequence[str] = ()) -> bytes | None:
        """Return the handle, or None for whatever we did not wrap for exactly this owner and this purpose."""
        encoded, _, mac = wrapped.partition(b".")
        try:
            handle, given = _decode(encoded), _decode(mac)
        except (binascii.Error, ValueError):
            return None
        # The same bytes can be encoded in several ways; only the one that was handed out is accepted.
        if wrapped != _encode(handle) + b"." + _encode(given):
            return None
        named = _named(kind, owner, bound) + handle
        known = any(hmac.compare_digest(given, _mac(key, named)) for key in (self._key, *self._earlier))
        return handle if known else None


def _derived(key: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"policylayer gateway handles 1").derive(key)


def _named(kind: Kind, owner: Admitted, bound: Sequence[str]) -> bytes:
    # Only the handle, which comes last, can hold a NUL, so no two different bindings give the same text.
    digest = sha256(json.dumps(bound).encode()).hexdigest() if bound else ""
    named = (kind, owner.organization.organization, owner.server.id, owner.grant.id, digest, "")
    return "\0".join(named).encode()


def _mac(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, named, sha256)[:_MAC_BYTES]


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
