"""Credentials in both directions: a grant's token coming in, a server's sealed headers going out."""

import json
import re
from typing import Final

from common.sealing import Keyring, SealingError
from common.tokens import GRANT, is_well_formed, token_digest
from gateway_config.wire.bundle import PATH, QUERY

_SCHEME: Final = b"bearer "
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")
# These headers frame or route the message; a stored value must not set them.
_OURS: Final = re.compile(
    r"host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|accept.*|mcp-.*"
    r"|last-event-id|policylayer-hop|proxy-(?!authorization).*"
)
_PATH: Final = re.compile(r"[\x21\x22\x24-\x3e\x40-\x7e]{0,2000}")
_QUERY: Final = re.compile(r"[\x21\x22\x24-\x7e]{0,2000}")
_PURPOSE: Final = "upstream-headers"


class CredentialsUnusable(Exception):  # noqa: N818
    """The stored credentials cannot be used. Says nothing about what they are."""


def bearer_digest(authorization: bytes | None) -> bytes | None:
    """Return the hash by which a grant is found, or None for what cannot be one of our tokens."""
    if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    token = authorization[len(_SCHEME) :].strip(b" ").decode("latin-1")
    return token_digest(token) if is_well_formed(token, GRANT) else None


def upstream_secrets(
    keyring: Keyring, organization: str, server: str, sealed: str | None
) -> tuple[dict[str, str], str]:
    """Return the server's secret headers, and the secret path and query to append to its address."""
    if sealed is None:
        return {}, ""
    try:
        plaintext = keyring.open(sealed, organization=organization, subject=server, purpose=_PURPOSE)
        headers = json.loads(plaintext)
    except (SealingError, ValueError):
        raise CredentialsUnusable from None
    if not isinstance(headers, dict):
        raise CredentialsUnusable
    rest, query = headers.pop(PATH, ""), headers.pop(QUERY, "")
    if not _is(_PATH, rest) or not _is(_QUERY, query):
        raise CredentialsUnusable
    if not all(_usable(*pair) for pair in headers.items()):
        raise CredentialsUnusable
    return headers, f"{rest}?{query}" if query else rest


def _is(what: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and what.fullmatch(given) is not None


def _usable(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and _TOKEN.fullmatch(name) is not None
        and _OURS.fullmatch(name.lower()) is None
        and _VALUE.fullmatch(value) is not None
    )
