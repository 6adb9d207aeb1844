"""Equality of JSON values: a text or key that equal values share, whatever their order and spelling."""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from .decision import MISSING
from .exact import identity_of, is_number


class Unjudged:
    """Takes the place of a value with an inexact number in it, whose equality cannot be judged."""


INEXACT: Final = Unjudged()


def identity_text(value: object) -> str:
    """Return a text that only equal values share, inexact numbers included. It identifies repeated calls."""
    if value is None or isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, dict):
        return f"{{{','.join(f'{quoted(key)}:{identity_text(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{','.join(map(identity_text, value))}]"
    if is_number(value):
        return identity_of(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")


def call_digest(*, organization: str, grant: str, server: str, tool: str, arguments: object) -> str:
    """Return a hex SHA-256 that only identical calls share. An approval is bound to it.

    A call without arguments is judged like one with an empty object, and is the same call.
    """
    named = json.dumps([organization, grant, server, tool])
    said = identity_text({} if arguments is MISSING else arguments)
    return hashlib.sha256(f"{named}{said}".encode()).hexdigest()


def digest_of(container: dict[str, object] | list[object], keys: Sequence[object]) -> tuple[str, str]:
    """Return the key of a container, made from the keys of what it holds.

    Its size is fixed, so that a container inside many others is not written out again for each of them.
    """
    texts = [_text_of_key(key) for key in keys]
    if isinstance(container, dict):
        texts = sorted(f"{quoted(name)}:{text}" for name, text in zip(container, texts, strict=True))
    opening = "{" if isinstance(container, dict) else "["
    digest = hashlib.blake2b(f"{opening}{','.join(texts)}".encode(), digest_size=32)
    return opening, digest.hexdigest()


def _text_of_key(key: object) -> str:
    if isinstance(key, str):
        return quoted(key)
    if isinstance(key, tuple):
        return "#".join(key)
    return identity_of(key) if isinstance(key, Decimal) else str(key)
