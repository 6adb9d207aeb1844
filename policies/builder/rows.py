"""How a row of the board is named in a form, in an address and in the page."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote, unquote

from policies.language.board import Address
from policies.language.document import CLASSES

RESOURCES: Final = "/resources"
PROMPTS: Final = "/prompts"


def key_of(pointer: str) -> str:
    """Plain ASCII for any name: forms change line ends, and half a surrogate cannot be sent at all."""
    return quote(pointer, safe="/~*", errors="surrogatepass")


def pointer_of(key: str) -> str:
    return unquote(key, errors="surrogatepass")


def id_of(pointer: str) -> str:
    return hashlib.sha256(pointer.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def row_pointer(pointer: str) -> str:
    """The row in which something that a pointer names is shown; empty where it is in none."""
    section, _, rest = pointer[1:].partition("/")
    match section:
        case "tools" | "classes":
            return f"/{section}/{rest.partition('/')[0]}" if rest else ""
        case "all_tools" | "default" | "resources" | "prompts":
            return f"/{section}"
        case _:
            return ""


def address_of(key: str) -> Address | None:
    """None for what is the key of no row with verbs."""
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
