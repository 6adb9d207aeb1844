"""When two JSON values are one: a text that equal values share, whatever their order and spelling."""

import json
from typing import Final

from .exact import exact, identity_of, is_number


class Unjudged:
    """Stands for a value that holds an inexact number, so that nothing can be said about its equality."""


INEXACT: Final = Unjudged()


def identity_text(value: object) -> str:
    """Also for values with inexact numbers: this is how a repeated call is recognised."""
    return _text(value)[0]


def judged_text(value: object) -> str | Unjudged:
    text, exactly = _text(value)
    return text if exactly else INEXACT


def _text(value: object) -> tuple[str, bool]:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value), True
    if isinstance(value, dict):
        members = [(json.dumps(key), *_text(value[key])) for key in sorted(value)]
        inner = ",".join(f"{key}:{text}" for key, text, _ in members)
        return f"{{{inner}}}", all(exactly for _, _, exactly in members)
    if isinstance(value, list):
        elements = [_text(element) for element in value]
        return f"[{','.join(text for text, _ in elements)}]", all(exactly for _, exactly in elements)
    if is_number(value):
        return identity_of(value), exact(value) is not None
    raise TypeError(f"no JSON value: {type(value).__name__}")
