"""Identifiers: UUIDs inside, prefixed opaque text outside."""

import re
from functools import cache
from typing import Final
from uuid import UUID

import uuid_utils.compat

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 26
# Lists hold thousands of ids, so they are written two letters at a time.
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS: Final = tuple(range(5 * (_LENGTH - 2), -1, -10))
_PREFIX: Final = re.compile(r"[a-z]{2,8}")


def new_uuid() -> UUID:
    """A UUIDv7: ids made later sort later."""
    return uuid_utils.compat.uuid7()


def first_uuid_of(unix_seconds: float) -> UUID:
    """No id made from then on sorts before it."""
    return UUID(int=int(unix_seconds * 1000) << 80)


def public_id(prefix: str, uuid: UUID) -> str:
    number = uuid.int
    return _begun(prefix) + "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


@cache
def _begun(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"`{prefix}` is no prefix of an id: two to eight lower-case letters, no underscore")
    return f"{prefix}_"


def parse_public_id(prefix: str, text: str) -> UUID:
    """The exact inverse of public_id: each id has one spelling, so no two URLs mean the same thing."""
    head, separator, letters = text.partition("_")
    if head != prefix or not separator or len(letters) != _LENGTH:
        raise ValueError(f"this is not an id that begins with {prefix}_")
    number = 0
    for letter in letters:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError(f"this is not an id that begins with {prefix}_")
        number = number << 5 | value
    if number >> 128:
        raise ValueError(f"this is not an id that begins with {prefix}_")
    return UUID(int=number)
