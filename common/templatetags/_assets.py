from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.templatetags.static import static


@cache
def address(name: str) -> str:
    found = finders.find(f"dist/{name}")
    if not isinstance(found, str):
        return static(f"dist/{name}")
    return f"{static(f'dist/{name}')}?v={digest_of(found)}"


@cache
def digest_of(path: str) -> str:
    """Of a file that belongs to the program: it stays what it is while this runs."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:10]


def sprite() -> str:
    return address("icons.svg")
