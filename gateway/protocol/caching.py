"""Keeps what a server answers one grant out of caches that serve others.

What a grant may see is private to it, so no answer leaves with `cacheScope: "public"`. The text is not parsed
for this: within the strings of a JSON text, no quotation mark stands without a backslash before it.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.protocol.jsonrpc import Message, Request

# Whose results clients and proxies may keep, besides lists of tools, which are made private where they are
# filtered. In the results of other methods, a key of this name may mean something else.
_CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
    }
)
SCOPE: Final = '"cachescope"'
"""In every text that says who may keep it, once in lower case."""
_PUBLIC: Final = re.compile(rb'("cacheScope"[ \t\r\n]{0,64}:[ \t\r\n]{0,64})"public"')
_LONGEST: Final = len(b'"cacheScope":"public"') + 2 * 64


def may_be_kept(message: Message | None) -> bool:
    return type(message) is Request and message.method in _CACHEABLE


def made_private(text: bytes) -> bytes:
    return _PUBLIC.sub(rb'\1"private"', text)


@dataclass(slots=True)
class MakingPrivate:
    """made_private() for a text that comes in pieces."""

    _held: bytes = b""

    def feed(self, piece: bytes) -> bytes:
        text = made_private(self._held + piece)
        # What begins earlier would have been found whole.
        passed = max(0, len(text) - _LONGEST)
        self._held = text[passed:]
        return text[:passed]

    def end(self, last: bytes) -> bytes:
        return made_private(self._held + last)
