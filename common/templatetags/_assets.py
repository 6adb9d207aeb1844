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
    digest = hashlib.sha256(Path(found).read_bytes()).hexdigest()[:10]
    return f"{static(f'dist/{name}')}?v={digest}"


def sprite() -> str:
    return address("icons.svg")
