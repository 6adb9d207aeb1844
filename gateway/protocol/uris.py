"""URIs that a server may take for another spelling of themselves: RFC 3986, 6.2.2, and WHATWG's URLs."""

import re
from typing import Final

# Letters, digits and `-._~` need not be encoded, and mean the same where they are.
_ENCODED_FOR_NOTHING: Final = re.compile(
    r"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE
)
# Left out by many readers of URLs.
_LEFT_OUT: Final = re.compile(r"[\x00-\x1f\x7f]|\A | \Z")
_CAPITAL: Final = re.compile(r"[A-Z]")
# Of these the host is one whatever its case.
_HAS_A_HOST: Final = frozenset({"file", "ftp", "http", "https", "ws", "wss"})


def has_another_spelling(uri: str) -> bool:
    scheme, _, rest = uri.partition(":")
    if _CAPITAL.search(scheme) or _ENCODED_FOR_NOTHING.search(uri) or _LEFT_OUT.search(uri):
        return True
    if scheme not in _HAS_A_HOST or not rest.startswith("//"):
        return False
    return _CAPITAL.search(re.split(r"[/?#]", rest[2:], maxsplit=1)[0]) is not None
