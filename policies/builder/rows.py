"""How a row of the board is named in forms, in URLs and in the page."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote, unquote

from policies.language.board import Address
from policies.language.document import CLASSES

RESOURCES: Final = "/resources"
PROMPTS: Final = "/prompts"


def key_of(pointer: str) -> str:
    """Spells any name in plain ASCII: forms change line ends, and half a surrogate cannot be sent at all."""
    return quote(pointer, safe="/~*", errors="surrogatepass")


def pointer_of(key: str) -> str:
    return unquote(key, errors="surrogatepass")


def id_of(pointer: str) -> str:
    return hashlib.sha256(pointer.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def row_pointer(pointer: str) -> str:
    """Returns the row that shows what the pointer names; empty if no row does."""
    section, _, rest = pointer[1:].partition("/")
    match section:
        case "tools" | "classes":
            return f"/{section}/{rest.partition('/')[0]}" if rest else ""
        case "all_tools" | "default" | "resources" | "prompts":
            return f"/{section}"
        case _:
            return ""


def address_of(key: str) -> Address | None:
    """Returns None for anything that is not the key of a row with verbs."""
    section, _, token = pointer_of(key)[1:].partition("/")
    name = token.replace("~1", "/").replace("~0", "~")
    match section:
        case "all_tools" | "default":
            return Address(section) if not name else None
        case "tools":
            return Address("tools", name) if name else None
        case "classes":
            return Address("classes", name) if name in CLASSES else None
        case _:
            return None
