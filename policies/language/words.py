"""The leaves of the grammar: what is a valid name, text, identifier and counter."""

import hashlib
import re
from typing import Final

LONGEST_NAME: Final = 256
LONGEST_TEXT: Final = 1000
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,256}\Z")
_TEXT = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]{1,1000}\Z")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
_COUNTER = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_.:-]*(?:\{tool\}[A-Za-z0-9_.:-]*)?\Z")


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None


def is_text(text: str) -> bool:
    return _TEXT.match(text) is not None


def is_id(text: str) -> bool:
    return _ID.match(text) is not None


def is_counter(text: str) -> bool:
    return len(text) <= LONGEST_NAME and _COUNTER.match(text) is not None


def hashed_id(name: str) -> str:
    """Return an identifier derived from a name that is not itself a valid identifier."""
    return "t-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def shorthand_counter(entry: str) -> str:
    """Return the counter of a `rate_limit` on one entry of `tools`."""
    plain = f"{entry}_rate"
    return plain if is_id(plain) else f"{hashed_id(entry)}_rate"
