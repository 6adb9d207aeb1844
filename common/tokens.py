"""Bearer tokens: a prefix that says what one opens, 160 random bits, and a checksum to refuse junk early."""

import hashlib
import secrets
import zlib
from typing import Final

GRANT: Final = "plg_"
API_KEY: Final = "plk_"
WORKER: Final = "plw_"
INVITATION: Final = "pli_"
PREFIXES: Final = (GRANT, API_KEY, WORKER, INVITATION)

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS: Final = frozenset(_ALPHABET)
_RANDOM_BITS: Final = 160
_RANDOM_LENGTH: Final = 27
_CHECKSUM_LENGTH: Final = 6
_LENGTH: Final = len(GRANT) + _RANDOM_LENGTH + _CHECKSUM_LENGTH


def new_token(prefix: str) -> str:
    body = _known(prefix) + _base62(secrets.randbits(_RANDOM_BITS), _RANDOM_LENGTH)
    return body + _checksum(body)


def is_well_formed(token: str, prefix: str) -> bool:
    """True if the token could be one of ours. That says nothing about whether it opens anything."""
    return (
        len(token) == _LENGTH
        and token.startswith(_known(prefix))
        and _LETTERS.issuperset(token[len(prefix) :])
        and token[-_CHECKSUM_LENGTH:] == _checksum(token[:-_CHECKSUM_LENGTH])
    )


def token_hash(token: str) -> str:
    """What is stored in place of the token. Any text has one, so that odd input cannot raise here."""
    return token_digest(token).hex()


def token_digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _known(prefix: str) -> str:
    if prefix not in PREFIXES:
        raise ValueError(f"`{prefix}` is no prefix of a token; there are {', '.join(PREFIXES)}")
    return prefix


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))
