"""What the log keeps of a call's arguments: their names, and a digest that equal arguments share."""

import hashlib
from decimal import Decimal
from typing import Final

import jiter
import msgspec

_MOST_NAMES: Final = 64
_LONGEST_NAME: Final = 128
_PLAIN_DIGITS: Final = 18


def names(arguments: object) -> tuple[str, ...]:
    if not isinstance(arguments, dict):
        return ()
    return tuple(name[:_LONGEST_NAME] for name in list(arguments)[:_MOST_NAMES])


def digest(arguments: object) -> str:
    """Hex SHA-256. Equal JSON values have equal digests: keys in any order, numbers by their value."""
    return hashlib.sha256(_ENCODER.encode(arguments)).hexdigest()


def _by_value(value: object) -> msgspec.Raw:
    if not isinstance(value, jiter.LosslessFloat):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    sign, digits, exponent = Decimal(str(value)).as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits)).lstrip("0")
    significant = written.rstrip("0")
    if not significant:
        return msgspec.Raw(b"0")
    exponent += len(written) - len(significant)
    # A whole number that the parser would give as `int` must be written as one.
    if exponent >= 0 and len(significant) + exponent <= _PLAIN_DIGITS:
        text = significant + "0" * exponent
    else:
        text = f"{significant}e{exponent}"
    return msgspec.Raw(f"{'-' if sign else ''}{text}".encode())


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_by_value, order="sorted")
