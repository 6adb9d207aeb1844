"""Readings of resource URIs: one form for all the spellings that most servers take for the same resource."""

import re
from typing import Final
from urllib.parse import unquote

_NO_PATH: Final = re.compile(r"\A(?:ftp|https?|wss?)://[^/?#*]+(?=[?#]|\Z)")


def reading(uri: str) -> str:
    """Return the reading of a URI or of a pattern. URIs that differ only in percent-encoding, in case, or in
    the slash of an otherwise empty path have the same reading."""
    return _NO_PATH.sub(r"\g<0>/", unquote(uri, errors="replace").casefold())
