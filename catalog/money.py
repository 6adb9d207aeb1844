"""Whether a tool that changes something changes who owns or owes money. Pure."""

from collections.abc import Iterable

from catalog.vocabulary import (
    ALSO_OF_OTHERS,
    AMOUNTS,
    ASKS_FOR,
    BOOKKEEPING,
    ENDS_ORDERS,
    GIVEN_AWAY,
    MONEY,
    MONEY_AMONG_MONEY,
    MONEY_COMPANY,
    MONEY_ON_FILE,
    MONEY_SENT,
    MOVES_POSITIONS,
    MOVES_VALUE,
    NOT_MONEY,
    ORDERS,
    PARTIES,
    POSITIONS,
    SENDS,
    SENT,
    TRADE_PARAMS,
    TRADES,
    WORTH,
    ToolClass,
)


def is_about_money(
    verb: str, tool_class: ToolClass, words: tuple[str, ...], company: Iterable[str]
) -> str | None:
    """The word that tells, or None: a tool that only reads is never Financial. `company` is what else is said
    of it and beside it."""
    if tool_class is ToolClass.READ:
        return None
    if tool_class is ToolClass.FINANCIAL and NOT_MONEY.isdisjoint(words):
        return next((word for word in words if word in MONEY or word in MONEY_SENT), verb)
    if verb in MOVES_POSITIONS and (hit := next((w for w in words if w in POSITIONS), None)):
        return hit
    if verb in ASKS_FOR and (hit := next((w for w in words if w in GIVEN_AWAY), None)):
        return hit
    if not MONEY_ON_FILE.isdisjoint(words):
        return None
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
    return None


def moves_something_else(verb: str, params: tuple[tuple[str, str, bool], ...]) -> bool:
    """A transfer, a trade or a withdrawal of which no argument says how much, of what or whose."""
    if verb not in ALSO_OF_OTHERS or not params:
        return False
    names = [name.lower() for name, _, _ in params]
    return not ({"from", "to"} <= set(names) or any(word in name for name in names for word in WORTH))


def asks_for_money(
    tool_class: ToolClass, words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]
) -> tuple[str, str] | None:
    """The arguments that tell: how much, and of what or whose. What only keeps books is left out."""
    if tool_class not in (ToolClass.WRITE, ToolClass.EXECUTE) or not BOOKKEEPING.isdisjoint(words):
        return None
    names = [name for name, _, _ in params]
    if any("budget" in name.lower() for name in names):
        return None
    if not ORDERS.isdisjoint(words) and tool_class is ToolClass.WRITE:
        sided = [name for name in names if name.lower() in TRADE_PARAMS]
        return (sided[0], sided[1]) if len(sided) > 1 and words[0] not in ENDS_ORDERS else None
    much = next((name for name in names if any(word in name.lower() for word in AMOUNTS)), None)
    whose = next((name for name in names if name != much and any(w in name.lower() for w in PARTIES)), None)
    return (much, whose) if much and whose else None


def _in_company(company: Iterable[str]) -> bool:
    return any(noun in text.lower() for text in company for noun in MONEY_COMPANY)
