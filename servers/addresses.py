"""Finds what may be a key in a server's address: some admit anyone who knows their path or query. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Words, as people name things: "mcp", "v1", "github-copilot", "2025-06-18". Anything else may be a key.
_WORD: Final = r"(?:[a-z]{1,20}|[A-Z][a-z]{1,19}|[A-Z]{1,5})?\d{0,4}"
_PLAIN: Final = re.compile(rf"@?{_WORD}(?:[-_.]{_WORD}){{0,4}}")


@dataclass(frozen=True, slots=True)
class Address:
    """The address is `place + rest`, then `?query` if there is one. `place` may be shown to anyone."""

    place: str
    rest: str = ""
    query: str = ""

    @property
    def shown(self) -> str:
        return f"{self.place}{'…' if self.rest else ''}{'?…' if self.query else ''}"


def address_of(url: str) -> Address:
    """`rest` begins with the first part of the path that is not a plain word; `place` then ends with `/`."""
    whole, _, query = url.partition("?")
    scheme, sign, after = whole.partition("://")
    host, slash, path = after.partition("/")
    segments = path.split("/")
    plain = next((n for n, one in enumerate(segments) if not _PLAIN.fullmatch(one)), len(segments))
    told, kept = "/".join(segments[:plain]), "/".join(segments[plain:])
    between = "/" if told and kept else ""
    return Address(f"{scheme}{sign}{host}{slash}{told}{between}", kept, query)
