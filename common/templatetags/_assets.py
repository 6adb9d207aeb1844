from __future__ import annotations

from functools import cache

from django.templatetags.static import static


@cache
def address(name: str) -> str:
    """The address of a built file; see config.static_files."""
    return static(f"dist/{name}")


def sprite() -> str:
    return address("icons.svg")
