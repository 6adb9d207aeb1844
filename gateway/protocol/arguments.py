"""What the log keeps of a call's arguments: names, a digest that equal arguments share, chosen values."""

import hashlib
from functools import lru_cache
from typing import Final

import jiter
import msgspec

from gateway_config.wire.messages import KeptArgument
from policies.language.paths import parse_path

_MOST_NAMES: Final = 64
_LONGEST_NAME: Final = 128
_LONGEST_TOGETHER: Final = 2_048
_LONGEST_VALUE: Final = 2_048
_MOST_KEPT: Final = 8_192
_PLAIN_DIGITS: Final = 18
_LONGEST_POWER: Final = 12


def names(arguments: object) -> tuple[str, ...]:
    if not isinstance(arguments, dict):
        return ()
    given = tuple(arguments)
    if len(given) <= _MOST_NAMES and len("".join(given)) <= _LONGEST_NAME:
        return given
    kept: list[str] = []
    length = 0
    for name in given:
        length += len(name[:_LONGEST_NAME])
        if len(kept) == _MOST_NAMES or length > _LONGEST_TOGETHER:
            break
        kept.append(name[:_LONGEST_NAME])
    return tuple(kept)


def kept(arguments: object, paths: tuple[str, ...]) -> tuple[KeptArgument, ...]:
    """The values at the paths the organization keeps, and nothing else of the call."""
    if not paths or not isinstance(arguments, dict):
        return ()
    found, left = [], _MOST_KEPT
    for path in paths:
        one = _kept(arguments, path, left)
        left -= len(one.json)
        found.append(one)
    return tuple(found)


def _kept(arguments: dict[str, object], path: str, left: int) -> KeptArgument:
    value: object = arguments
    for step in _steps(path):
        if not isinstance(value, dict) or step not in value:
            return KeptArgument(path, "missing")
        value = value[step]
    written = _PLAIN.encode(value)
    if len(written) > min(_LONGEST_VALUE, left):
        return KeptArgument(path, "too_long")
    return KeptArgument(path, "value", written.decode())


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str, ...]:
    parsed = parse_path(path)
    return tuple(str(step) for step in parsed.steps) if parsed else ()


def digest(arguments: object) -> str:
    """Hex SHA-256. Equal JSON values have equal digests: keys in any order, numbers by their value."""
    return hashlib.sha256(_SORTED.encode(arguments)).hexdigest()


def _by_value(value: object) -> msgspec.Raw:
    if not isinstance(value, jiter.LosslessFloat):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    text = str(value).lower()
    mantissa, _, power = text.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    written = (whole + fraction).lstrip("0")
    significant = written.rstrip("0")
    if not significant:
        return msgspec.Raw(b"0")
    if len(power) > _LONGEST_POWER:
        return msgspec.Raw(text.encode())  # far beyond any reader's range: equal only if spelt alike
    exponent = int(power or "0") - len(fraction) + len(written) - len(significant)
    # A whole number that the parser would give as `int` must be written as one.
    if exponent >= 0 and len(significant) + exponent <= _PLAIN_DIGITS:
        shortest = significant + "0" * exponent
    else:
        shortest = f"{significant}e{exponent}"
    return msgspec.Raw(f"{'-' if text[0] == '-' else ''}{shortest}".encode())


def _as_spelt(value: object) -> msgspec.Raw:
    if not isinstance(value, jiter.LosslessFloat):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return msgspec.Raw(str(value).encode())


_PLAIN: Final = msgspec.json.Encoder(enc_hook=_as_spelt)
_SORTED: Final = msgspec.json.Encoder(enc_hook=_by_value, order="sorted")
