"""How 2026-07-28 writes text in a header: as it is, or in base64 if a header cannot hold it."""

import base64
import binascii
import re
from typing import Final

_SENTINEL: Final = re.compile(r"=\?base64\?(?P<payload>.*)\?=", re.DOTALL)
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_READABLE: Final = re.compile(rb"[\x20-\x7e\t]*")


def read_value(value: bytes | None) -> str | None:
    """The text that a header value stands for; None for a value that no client may send."""
    if value is None or not _READABLE.fullmatch(value):
        return None
    text = value.decode("ascii")
    sentinel = _SENTINEL.fullmatch(text)
    if sentinel is None:
        return text
    payload = sentinel["payload"]
    try:
        decoded = base64.b64decode(payload, validate=True)
        # Spare bits at the end would give one name two spellings.
        return decoded.decode("utf-8") if base64.b64encode(decoded).decode() == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def written(text: str) -> bytes:
    if _PLAIN.fullmatch(text) and not _SENTINEL.fullmatch(text):
        return text.encode("ascii")
    return b"=?base64?" + base64.b64encode(text.encode("utf-8")) + b"?="
