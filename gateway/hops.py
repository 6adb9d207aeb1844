"""No request goes through one deployment twice, however its server's address leads back here.

Whatever is sent to a server bears the deployment's mark, the same for all tenants. Only a holder of the keys
can tell whose mark it is, and anyone who repeats it only gets their own request refused. Marks of other
deployments are passed on, so that a loop through several of them ends too.
"""

import base64
import re
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.sealing import Keyring
from gateway.http_messages import Reply, refusal

HEADER: Final = b"policylayer-hop"

_MARK_BYTES: Final = 16
_MOST: Final = 8
_MARKS: Final = re.compile(rb"[A-Za-z0-9_-]{22}(?:, ?[A-Za-z0-9_-]{22})*")
_CIRCLE: Final = refusal(
    "This request has been here before: the address of a server leads back to this gateway.", status=508
)
_TOO_MANY: Final = refusal("This request has come through too many gateways.", status=508)
_NO_MARK: Final = refusal("The header PolicyLayer-Hop is not in the form a gateway writes.")


class Hops:
    """`line` is the header added to what is sent on. The first key marks, all marks are recognised."""

    def __init__(self, keyring: Keyring) -> None:
        marks = {name: _mark(key) for name, key in keyring.keys.items()}
        self.line = b"PolicyLayer-Hop: %b\r\n" % marks[keyring.first]
        self._ours = frozenset(marks.values())

    def refuse(self, given: bytes) -> Reply | None:
        """Return a refusal, or None if the header may be passed on as it is."""
        if not _MARKS.fullmatch(given):
            return _NO_MARK
        marks = [mark.strip() for mark in given.split(b",")]
        if not self._ours.isdisjoint(marks):
            return _CIRCLE
        return _TOO_MANY if len(marks) > _MOST else None


def _mark(key: bytes) -> bytes:
    derived = HKDF(SHA256(), length=_MARK_BYTES, salt=None, info=b"policylayer gateway hop 1").derive(key)
    return base64.urlsafe_b64encode(derived).rstrip(b"=")
