"""Says whether a tool that changes something changes who owns or owes money. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum, auto
from functools import lru_cache
from itertools import pairwise
from typing import Final

from catalog.classifier.paid import (
    ABOUT_IT,
    DEALS_NAMED,
    KINDS,
    KINDS_OF_ORDERS,
    ORDERED,
    RAILS,
    WORKED_OUT,
    WORKED_OUT_FROM,
)
from catalog.classifier.vocabulary import (
    ALSO_OF_OTHERS,
    AMOUNTS,
    BIDS,
    BINDS,
    BOOKKEEPING,
    CARRIED_OUT,
    DEALS,
    DEALT,
    ENDS_ORDERS,
    EXECUTE,
    FILES,
    FINANCIAL,
    MONEY,
    MONEY_AMONG_MONEY,
    MONEY_COMPANY,
    MONEY_ON_FILE,
    MONEY_SENT,
    MOVES_VALUE,
    NOT_MONEY,
    ORDERED_AT_WORK,
    ORDERS,
    PAID_ITEMS,
    PARTIES,
    READ,
    SENDS,
    SENT,
    TO_BE_PAID,
    TOLD_LAST,
    TRADE_PARAMS,
    TRADES,
    TRADING_COMPANY,
    WORTH,
    WRITE,
    ToolClass,
)

_OF_MONEY: Final = MONEY | MONEY_SENT | SENT | ORDERS | MONEY_AMONG_MONEY
_CHARGED: Final = MONEY | {"bill", "bills"}
_NONE: Final[frozenset[str]] = frozenset()
_BY_VERB: Final = {
    verb: tuple(kind[1:] for kind in KINDS if verb in kind[0])
    for verb in frozenset().union(*(k[0] for k in KINDS))
}
# All nouns of a verb's kinds: most names have none of them.
_NOUNS_OF: Final = {verb: frozenset().union(*(kind[0] for kind in kinds)) for verb, kinds in _BY_VERB.items()}


# Setting one of _ORDERED, two words of which the second follows the first, places an order.
_SETS: Final = frozenset({"add", "change", "create", "modify", "place", "set", "update"})
_ORDERED: Final = (("stop", "loss"), ("take", "profit"), ("trading", "stop"))
_ORDERS_HERE: Final = frozenset({"order", "orders"})
# What is only put in order.
_ARRANGED: Final = frozenset({"column", "display", "sort", "tab"})
_MAKES_ORDERS: Final = frozenset({"amend", "create", "modify", "replace", "submit"})
# Updating one of these corrects what it says.
_WRITTEN_DOWN: Final = frozenset({"checkout", "cob", "cobv", "invoice", "invoices", "payment", "payments"})
# Where a word begins in a name such as `fetchOHLCV`.
_AS_WORDS: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
# With one of these, a transaction is one of a database.
_IN_DATABASES: Final = frozenset(
    {"against", "cypher", "database", "graphql", "queries", "query", "redis", "sql", "statements"}
)
# Done to a transaction that a sibling refunds: one of money, and not of a database or a ledger of expenses.
_PAID_HERE: Final = frozenset({"transaction", "transactions"})
_CARRIES_OUT: Final = frozenset({"authorize", "commit", "confirm", "create", "increase", "initiate"})


def is_about_money(
    verb: str, tool_class: ToolClass, words: tuple[str, ...], company: Iterable[str]
) -> str | None:
    """The word that tells, or None: a tool that only reads is never Financial. `company`: what else is known,
    such as the description and the names of its siblings."""
    if tool_class is READ:
        return None
    if tool_class is FINANCIAL and NOT_MONEY.isdisjoint(words):
        return next((word for word in words if word in _CHARGED or word in MONEY_SENT), verb)
    if hit := _of_a_kind(verb, words):
        return hit
    if verb in BINDS and words[-1] in BIDS:
        return words[-1]
    if verb in _SETS and (hit := next((pair[1] for pair in pairwise(words) if pair in _ORDERED), None)):
        return hit
    if verb == "send" and words[-1] == "email":
        # The copy of a bill.
        return None
    if _OF_MONEY.isdisjoint(words) or not MONEY_ON_FILE.isdisjoint(words):
        return None
    company = tuple(company)
    for word in words:
        if word == verb:
            continue
        if word == "checkout" and not NOT_MONEY.isdisjoint(words):
            continue
        if verb == "update" and word in _WRITTEN_DOWN and ORDERS.isdisjoint(words):
            continue
        if word in MONEY or (word in MONEY_SENT and verb in MOVES_VALUE):
            return word
        if word in SENT and verb in SENDS:
            if word in CARRIED_OUT and not _IN_DATABASES.isdisjoint(words):
                continue
            return word
        if word in ORDERS and (verb == "place" or not TRADES.isdisjoint(words)):
            return word
        if word in MONEY_AMONG_MONEY and NOT_MONEY.isdisjoint(words) and _in_company(company):
            return word
        if word in _ORDERS_HERE and verb in _MAKES_ORDERS and _is_ordered(word, words) and _trades(company):
            return word
        if word in _PAID_HERE and verb in _CARRIES_OUT and _names(company, (f"refund_{word}",)):
            return word
    return None


def _of_a_kind(verb: str, words: tuple[str, ...]) -> str | None:
    if _NOUNS_OF.get(verb, _NONE).isdisjoint(words) or words[-1] in ABOUT_IT:
        return None
    for nouns, besides, never in _BY_VERB[verb]:
        if (
            not nouns.isdisjoint(words)
            and never.isdisjoint(words)
            and not (besides and besides.isdisjoint(words))
        ):
            return next(word for word in words if word in nouns)
    return None


def moves_something_else(verb: str, params: tuple[tuple[str, str, bool], ...]) -> bool:
    """True for a transfer, trade or withdrawal of which no argument says how much, of what or whose."""
    if verb not in ALSO_OF_OTHERS or not params:
        return False
    names = [name.lower() for name, _, _ in params]
    if _says(names, FILES) and not _says(names, AMOUNTS):
        return True
    return not ({"from", "to"} <= set(names) or _says(names, WORTH))


def _says(names: list[str], words: tuple[str, ...]) -> bool:
    return any(word in name for name in names for word in words)


class _Tells(StrEnum):
    NOTHING = auto()
    BUDGET = auto()
    AMOUNT = auto()
    PARTY = auto()
    BOTH = auto()


_DEALT_IN: Final = DEALT | MONEY | RAILS
_HOW_MUCH: Final = frozenset({_Tells.AMOUNT, _Tells.BOTH})
_WHOSE: Final = frozenset({_Tells.PARTY, _Tells.BOTH})


_TO_WHOM: Final = frozenset({"to_id", "to_ids", "toid", "toids"})


# Cached: very many tools have arguments of the same names.
@lru_cache(maxsize=4096)
def _tells(param: str) -> _Tells:
    name = param.lower()
    if "budget" in name:
        return _Tells.BUDGET
    much = any(word in name for word in AMOUNTS)
    whose = name in _TO_WHOM or any(word in name for word in PARTIES)
    if much:
        return _Tells.BOTH if whose else _Tells.AMOUNT
    return _Tells.PARTY if whose else _Tells.NOTHING


def asks_for_money(
    tool_class: ToolClass, words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]
) -> tuple[str, ...]:
    """The arguments that tell: how much, and of what or whose, or what is paid with; empty if none do.

    What only keeps books is left out.
    """
    if tool_class not in (WRITE, EXECUTE) or not BOOKKEEPING.isdisjoint(words):
        return ()
    names = [name for name, _, _ in params]
    told = [_tells(name) for name in names]
    if _Tells.BUDGET in told:
        return ()
    if words[0] == "create" and not TO_BE_PAID.isdisjoint(words):
        paid = tuple(name for name in names if name.lower() in PAID_ITEMS)
        if paid:
            return paid[:1]
    if not ORDERS.isdisjoint(words) and tool_class is WRITE:
        sided = [name for name in names if name.lower() in TRADE_PARAMS]
        return (sided[0], sided[1]) if len(sided) > 1 and words[0] not in ENDS_ORDERS else ()
    if _HOW_MUCH.isdisjoint(told):
        return ()
    much = next(name for name, tells in zip(names, told, strict=True) if tells in _HOW_MUCH)
    whose = (name for name, tells in zip(names, told, strict=True) if tells in _WHOSE and name != much)
    return next(((much, name) for name in whose), ())


def deal_named(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The words that name a payment where none is a verb: `bulk_payment`, `limit_order`, `order_server`."""
    names = [name.lower() for name, _, _ in params]
    if not words or (names and _HOW_MUCH.isdisjoint(map(_tells, names))):
        return ()
    last = words[-1]
    if last in DEALS_NAMED:
        return (last,) if WORKED_OUT.isdisjoint(words) and not _says(names, WORKED_OUT_FROM) else ()
    if params and (rail := next((word for word in words if word in RAILS), "")):
        return (rail,)
    if len(words) == 1:
        return ()
    if last == "order" and words[-2] in KINDS_OF_ORDERS:
        return words[-2:]
    if words[0] == "order" and words[1] in ORDERED and last not in TOLD_LAST:
        return words[:2]
    dealt = next((word for word in words if word in _DEALT_IN), "")
    dealing = next((word for word in words if word in DEALS and word != dealt), "") if dealt else ""
    return (dealing, dealt) if dealing else ()


def _in_company(company: tuple[str, ...]) -> bool:
    return any(noun in text.lower() for text in company for noun in MONEY_COMPANY)


def _is_ordered(noun: str, words: tuple[str, ...]) -> bool:
    return words[-1] == noun and ORDERED_AT_WORK.isdisjoint(words) and _ARRANGED.isdisjoint(words)


def _trades(company: tuple[str, ...]) -> bool:
    return _names(company, TRADING_COMPANY)


def _names(company: tuple[str, ...], nouns: tuple[str, ...]) -> bool:
    """True if a sibling's name has one of these words; descriptions, which have spaces, are not looked at."""
    names = (_AS_WORDS.sub(r"_\1", text).lower().replace("-", "_") for text in company if " " not in text)
    return any(f"_{noun}_" in f"_{name}_" for name in names for noun in nouns)
