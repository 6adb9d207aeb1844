"""Says whether a tool that changes something changes who owns or owes money. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum, auto
from functools import lru_cache
from itertools import pairwise
from typing import Final

from catalog.classifier.vocabulary import (
    ADS,
    ALSO_OF_OTHERS,
    AMOUNTS,
    ASKS_FOR,
    BIDS,
    BINDS,
    BONUSES,
    BOOKKEEPING,
    BOUNTIES,
    BUYS_NAMES,
    CALLED_OFF,
    CALLS_OFF,
    CARDS,
    CARRIED_OUT,
    COMES_AGAIN,
    DEALS,
    DEALT,
    ENDS_ORDERS,
    EXECUTE,
    FARES,
    FILES,
    FINANCIAL,
    FUNDS,
    GIVEN_AWAY,
    GIVES,
    HOLDS_MONEY,
    ISSUES,
    LETS_SPEND,
    LOANS,
    MONEY,
    MONEY_AMONG_MONEY,
    MONEY_COMPANY,
    MONEY_ON_FILE,
    MONEY_SENT,
    MOVES_POSITIONS,
    MOVES_VALUE,
    NAMES_BOUGHT,
    NO_FUNDS,
    NO_SPENDERS,
    NOT_MONEY,
    OF_VALUE,
    OFFERS,
    ORDERED_AT_WORK,
    ORDERS,
    PAID_ITEMS,
    PARTIES,
    PAYROLLS,
    PAYS_OUT,
    POSITIONS,
    PUTS_IN,
    READ,
    SENDS,
    SENT,
    SIGNS,
    SPENDERS,
    SPENDS_MORE,
    SPENT,
    TAKEN_UP,
    TAKES_LOANS,
    TAKES_UP,
    TO_BE_PAID,
    TRADE_PARAMS,
    TRADES,
    TRADING_COMPANY,
    TRAVELS,
    TURNS_ON_OR_OFF,
    WORTH,
    WRITE,
    ToolClass,
)

_OF_MONEY: Final = MONEY | MONEY_SENT | SENT | ORDERS | MONEY_AMONG_MONEY
# Verbs that beside other words are about money (_KINDS): the verbs, the words of which one has to be there,
# words of which another one has to be there as well, and words of which none may be.
_NONE: Final[frozenset[str]] = frozenset()
# With these, something under a domain name is registered, not the name itself.
_OF_NAMES: Final = frozenset({"alias", "custom", "email", "records", "subdomain", "webhook"})
_CHARGED: Final = MONEY | {"bill", "bills"}
_PAID_WHEN_MADE: Final = frozenset({"bill", "bills", "charge", "erc20", "settlement"})
# Bills of a parliament and of goods, charges of a battery, settlements of people.
_NOT_PAID: Final = frozenset(
    {"lading", "materials", "point", "points", "report", "reports", "station", "town"}
)
# What comes again in a calendar.
_PLANNED: Final = frozenset(
    {"calendar", "event", "events", "meeting", "reminder", "reminders", "task", "tasks"}
)
# Tokens that let somebody in, or hold colours.
_NO_COINS: Final = frozenset({"access", "api", "auth", "contract", "dashboard", "design", "service"})
_TOLD: Final = frozenset({"alert", "alerts", "news", "report", "reports", "updates"})
_KINDS: Final = (
    (MOVES_POSITIONS, POSITIONS, _NONE, _NONE),
    (ASKS_FOR, GIVEN_AWAY, _NONE, _NONE),
    (PUTS_IN, FUNDS, _NONE, NO_FUNDS),
    (TAKES_LOANS, LOANS, _NONE, _NONE),
    (PAYS_OUT, PAYROLLS, _NONE, BOOKKEEPING | {"timesheet", "timesheets"}),
    (LETS_SPEND, SPENDERS, _NONE, NO_SPENDERS),
    (TAKES_UP, TAKEN_UP, _NONE, _NONE),
    (ISSUES, CARDS, HOLDS_MONEY, _NONE),
    (TRAVELS, FARES, _NONE, _NONE),
    (GIVES, BONUSES, _NONE, frozenset({"points"})),
    (SPENDS_MORE, SPENT, ADS, _NONE),
    (OFFERS, BOUNTIES, _NONE, _NONE),
    (BUYS_NAMES, NAMES_BOUGHT, _NONE, _OF_NAMES),
    (DEALS, DEALT, _NONE, _NONE),
    (CALLS_OFF, CALLED_OFF, _NONE, NOT_MONEY | ORDERED_AT_WORK),
    (frozenset({"create"}), frozenset({"order", "orders"}), FARES, _NONE),
    (frozenset({"issue"}), OF_VALUE, _NONE, _NONE),
    (SIGNS, CARRIED_OUT, _NONE, _TOLD),
    (TURNS_ON_OR_OFF, COMES_AGAIN, _NONE, _PLANNED),
    (frozenset({"complete", "confirm"}), frozenset({"order", "orders"}), _NONE, ORDERED_AT_WORK),
    (frozenset({"deploy", "launch"}), frozenset({"memecoin", "token", "tokens"}), _NONE, _NO_COINS),
    (frozenset({"subscribe"}), frozenset({"fund", "funds"}), _NONE, _TOLD),
    (frozenset({"create"}), _PAID_WHEN_MADE, _NONE, NOT_MONEY | _NOT_PAID),
    (frozenset({"create"}), frozenset({"pix", "topup"}), _NONE, frozenset({"evp", "key", "keys"})),
    (frozenset({"broadcast"}), frozenset({"signed"}), _NONE, _TOLD),
    (frozenset({"broadcast"}), frozenset({"sign"}), frozenset({"doc", "tx"}), _NONE),
    # A plan of a fund into which is paid every month; elsewhere, telephones speak SIP.
    (frozenset({"cancel", "modify", "place"}), frozenset({"sip"}), frozenset({"mf", "fund"}), _NONE),
)
_BY_VERB: Final = {
    verb: tuple(kind[1:] for kind in _KINDS if verb in kind[0])
    for verb in frozenset().union(*(k[0] for k in _KINDS))
}


# Setting one of _ORDERED, two words of which the second follows the first, places an order.
_SETS: Final = frozenset({"add", "change", "create", "modify", "place", "set", "update"})
_ORDERED: Final = (("stop", "loss"), ("take", "profit"), ("trading", "stop"))
_ORDERS_HERE: Final = frozenset({"order", "orders"})
# What is only put in order.
_ARRANGED: Final = frozenset({"column", "display", "sort", "tab"})
_MAKES_ORDERS: Final = frozenset({"amend", "create", "modify", "replace", "submit"})
# Done to a transaction that a sibling refunds: one of money, and not of a database or a ledger of expenses.
# Where a word begins in a name such as `fetchOHLCV`.
_AS_WORDS: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
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
    for nouns, besides, never in _BY_VERB.get(verb, ()):
        if (
            not nouns.isdisjoint(words)
            and never.isdisjoint(words)
            and not (besides and besides.isdisjoint(words))
        ):
            return next(word for word in words if word in nouns)
    if verb in BINDS and words[-1] in BIDS:
        return words[-1]
    if verb in _SETS and (hit := next((pair[1] for pair in pairwise(words) if pair in _ORDERED), None)):
        return hit
    if _OF_MONEY.isdisjoint(words) or not MONEY_ON_FILE.isdisjoint(words):
        return None
    company = tuple(company)
    for word in words:
        if word == verb:
            continue
        if word == "checkout" and not NOT_MONEY.isdisjoint(words):
            continue
        if word in MONEY or (word in MONEY_SENT and verb in MOVES_VALUE):
            return word
        if word in SENT and verb in SENDS:
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
