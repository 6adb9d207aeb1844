"""Says whether a tool changes who may do what, by the words of its name taken together. Pure.

A key may be pressed, a token bought, a user followed, a session recorded, and a policy may be about backups.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from catalog.classifier.vocabulary import FINANCIAL, Params, ToolClass, argument_names, word_set

# Wherever one of these appears, the tool is about access.
_SURELY: Final = word_set("""
    acl apikey auth authenticate credential credentials iam identity invitation invitations logout membership
    memberships mfa oauth password passwords permission permissions role roles secret secrets sso
""")
_AMONG_OTHERS: Final = word_set("""
    access account accounts admin certificate certificates key keys login member members owner ownership
    policies policy session sessions token tokens user users
""")
_KNOWN: Final = _SURELY | _AMONG_OTHERS
# In front, these only tell what has happened: `track_login`.
_TELLS: Final = word_set("log record send track")
_ADMINS: Final = word_set("add assign change demote grant make promote remove revoke set transfer unassign")
# With these, a key is pressed, looked up by, stored under or paid to; it does not open anything.
_OTHER_KEYS: Final = word_set("""
    browser cache dict dictionary down foreign inchi json keyboard mobile module partition phrase pix press
    primary redis send sequence sort tap translation type up value values
""")
# `set_key` with nothing else is about the key of a store, not of a door.
_STORES: Final = word_set("copy expire increment put rename set touch")
# Only with one of these is a session that of someone signed in; else a conversation, a sitting or a browser.
_SIGNED_IN: Final = word_set("auth expire invalidate login logout refresh revoke sso token user users")
_OTHER_TOKENS: Final = word_set("""
    airdrop balance bridge burn buy buyers card claim coin count deploy erc erc20 erc721 fungible hex issue
    launch liquidity mint native nft payment pnl pool price pump pumpfun sale sell send sft snipe spl stake
    starknet state supply swap tokens trade trades transfer tx uri volume wrap
""")
# Arguments that tell that a token is traded.
_COIN_PARAMS: Final = word_set("""
    chain chainid chain_id decimals initialsupply mint network supply symbol tokenaddress token_address
""")
_OTHER_ACCOUNTS: Final = word_set("""
    ad ads asset balance balancemulti bank budget card checkout credit debit email expense fundedby ledger
    payable receivable savings storage switch tokenbalance transfer tx txlist txlistinternal
""")
_OTHER_POLICIES: Final = word_set("""
    backup azurebackup cache cancellation immutability insurance lifecycle pricing privacy refund region
    retention return returns scaling shipping sms
""")
# Done to someone whose rights stay as they are.
_BETWEEN_PEOPLE: Final = word_set("""
    contribute dm follow label like mention message mute nudge poke prompt rate rename rescore self subscribe
    tag unfollow unlabel unlike unmute unsubscribe watch
""")
_OTHER_MEMBERS: Final = word_set("card cards list")
# Words that may follow “user” if the user itself is meant.
_BEHIND_A_USER: Final = word_set("""
    access account accounts add and api app as assume assignment assignments bulk by create delete disable
    enable for from group groups id ids in invite key keys list login mfa organization organizations
    password permission permissions policy put remove restrictions role roles session sessions status team
    teams to token tokens update v with
""")
_DATA_ACCESS: Final = word_set("layer log logs pattern point")


def changes_access(tool_class: ToolClass, words: tuple[str, ...], params: Params) -> tuple[str, ...]:
    """The words that say so; empty if each of them means something else."""
    if _KNOWN.isdisjoint(words) or words[0] in _TELLS or _is_of_a_card(words):
        return ()
    found = tuple(word for word in words if word in _KNOWN)
    if _SURELY.isdisjoint(words):
        # Money is moved between accounts, in sessions and by tokens.
        if tool_class is FINANCIAL:
            return ()
        names = argument_names(params)
        return tuple(word for word in found if _is_meant(word, words, names))
    return found


def _is_of_a_card(words: tuple[str, ...]) -> bool:
    """True for `zero_auth` and `authenticate_3ds`."""
    return words[-1] == "ds" or words[:2] == ("zero", "auth")


def _is_meant(word: str, words: tuple[str, ...], params: frozenset[str]) -> bool:
    match word.removesuffix("s"):
        case "key":
            is_stored = "value" in params or (len(words) == 2 and words[0] in _STORES)
            return not is_stored and _OTHER_KEYS.isdisjoint(words)
        case "token":
            return _OTHER_TOKENS.isdisjoint(w for w in words if w != word) and _COIN_PARAMS.isdisjoint(params)
        case "session":
            return not _SIGNED_IN.isdisjoint(words)
        case "account":
            return _OTHER_ACCOUNTS.isdisjoint(words)
        case "policy" | "policie":
            return _OTHER_POLICIES.isdisjoint(words)
        case "user":
            return _BETWEEN_PEOPLE.isdisjoint(words) and _ends_with_user(words)
        case "member":
            return _BETWEEN_PEOPLE.isdisjoint(words) and _OTHER_MEMBERS.isdisjoint(words)
        case "admin" | "owner" | "ownership":
            return not _ADMINS.isdisjoint(words)
        case "acces":
            return _DATA_ACCESS.isdisjoint(words)
        case _:
            return True


def _ends_with_user(words: tuple[str, ...]) -> bool:
    """True for `add_user_to_group`, `users_update`; not for a user's repository, defaults or score."""
    users = ("user", "users")
    if words[-1] in users:
        return True
    return any(one in users and then in _BEHIND_A_USER for one, then in pairwise(words))
