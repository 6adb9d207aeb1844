"""Finds secrets that come with an answer or travel with a call. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

from catalog.classifier.vocabulary import READ, WRITE, Params, ToolClass, word_set

_SECRETS: Final = word_set("""
    apikey apikeys credential credentials keystore kubeconfig mnemonic passphrase password passwords
    privatekey secret secrets
""")
_PAIRS: Final = frozenset(
    (first, second)
    for seconds, firsts in (
        ("key keys", "access api license private service signing"),
        ("token tokens", "access api bearer refresh"),
        ("string strings", "connection"),
        ("phrase", "seed"),
        ("code codes", "recovery"),
        ("codes", "backup"),
        ("var vars variable variables", "ci env environment group project workspace"),
        ("env", "export get job list read"),
    )
    for second in seconds.split()
    for first in firsts.split()
)
# A vault may also be a notebook, a backup or a pool of money; with one of these it holds secrets.
_VAULTS: Final = word_set("decrypt hashicorp")
_BROWSER: Final = word_set("all browser by get list read")
_COOKIES: Final = word_set("cookie cookies")
_KNOWN: Final = _SECRETS | frozenset(second for _, second in _PAIRS) | _COOKIES | {"vault"}
# These ask about a secret without its being told.
_ABOUT_IT: Final = word_set("""
    analyze audit banner check compare consent count encrypt exists exposure format generate has hash leaked
    length is policies policy provider providers requirements schema schemas score status strength template
    templates test type types usage validate verify
""")
# `account_by_private_key`: the caller has it already.
_GIVEN: Final = word_set("by from using with")

# `secretId`, `secret_name`, `password_policy`: these are about a secret, but do not carry it.
_WHICH: Final = re.compile(
    r"(?:Id|_id|Ids|_ids|Name|_name|Arn|_arn|Types?|_types?|Policy|_policy|Length|_length|Path|_path"
    r"|Encryption|_encryption|_hint|_json)\Z"
)
_CARRIES: Final = (
    *("password", "secret", "apikey", "privatekey"),
    *("accesstoken", "apitoken", "authtoken", "oauthtoken", "personaltoken", "refreshtoken", "sessiontoken"),
)
_CARRY: Final = word_set("""
    authorization bearer bearerauth cookie cookies credentials mnemonic otp passphrase passwd pwd seedphrase
    sslkey totp
""")
# With these, a token is paid with, traded, or sent back as a confirmation.
_OTHER_TOKENS: Final = word_set("""
    amount balance balances bulk card collection database document erc index inscription nft order payment
    price sale subscription token tokens transaction transactions transfer transfers unsubscribe
""")
_SIGNS_IN: Final = word_set("auth authenticate configure confirm github login revoke set")


def secret_told(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that name a secret which the answer may hold."""
    if _KNOWN.isdisjoint(words) or not _ABOUT_IT.isdisjoint(words):
        return ()
    before = ""
    for one, then in pairwise((*words, "")):
        pair = (one, then) in _PAIRS
        if (pair or one in _SECRETS or _is_a_cookie(one, words) or _is_a_vault(one, words)) and (
            before not in _GIVEN
        ):
            return (one, then) if pair else (one,)
        before = one
    return ()


def _is_a_cookie(word: str, words: tuple[str, ...]) -> bool:
    return word in _COOKIES and not _BROWSER.isdisjoint(words)


def _is_a_vault(word: str, words: tuple[str, ...]) -> bool:
    return word == "vault" and not _VAULTS.isdisjoint(words)


def secret_given(tool_class: ToolClass, words: tuple[str, ...], params: Params) -> str:
    """The argument that carries a secret; empty if none does."""
    for name, kind, _ in params:
        if carries_a_secret(name) and kind not in ("boolean", "integer", "number"):
            return name
        if name == "token" and kind == "string" and _signs_in(tool_class, words):
            return name
    return ""


def _signs_in(tool_class: ToolClass, words: tuple[str, ...]) -> bool:
    if not _SIGNS_IN.isdisjoint(words):
        return True
    return tool_class in (READ, WRITE) and _OTHER_TOKENS.isdisjoint(words)


# Cached: very many tools have arguments of the same names.
@lru_cache(maxsize=4096)
def carries_a_secret(param: str) -> bool:
    name = param.lower().replace("_", "").replace("-", "")
    return (name in _CARRY or any(word in name for word in _CARRIES)) and not _WHICH.search(param)
