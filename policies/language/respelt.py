"""Names of resources as most servers read them."""

import re
from typing import Final
from urllib.parse import unquote

_NO_PATH: Final = re.compile(r"\A(?:ftp|https?|wss?)://[^/?#*]+(?=[?#]|\Z)")


def reading(uri: str) -> str:
    """What differs from it only by percent signs, by case or by the slash of a path that is nothing else has
    the same. Also of a pattern."""
    return _NO_PATH.sub(r"\g<0>/", unquote(uri, errors="replace").casefold())
