"""Whether a tool that changes something changes who owns or owes money. Pure."""

from catalog.vocabulary import (
    MONEY,
    MONEY_AMONG_MONEY,
    MONEY_COMPANY,
    MONEY_SENT,
    MOVES_VALUE,
    NOT_MONEY,
    ORDERS,
    TRADES,
    ToolClass,
)


def is_about_money(
    verb: str, tool_class: ToolClass, words: tuple[str, ...], said: tuple[str, ...], siblings: tuple[str, ...]
) -> str | None:
    """The word that tells, or None. A tool that only reads is never Financial."""
    if tool_class is ToolClass.READ:
        return None
    if tool_class is ToolClass.FINANCIAL and NOT_MONEY.isdisjoint(words):
        return next((word for word in words if word in MONEY or word in MONEY_SENT), verb)
    for word in words:
        if word == verb:
            continue
        if word in MONEY or (word in MONEY_SENT and verb in MOVES_VALUE):
            return word
        if word in ORDERS and (verb == "place" or not TRADES.isdisjoint(words)):
            return word
        if word in MONEY_AMONG_MONEY and NOT_MONEY.isdisjoint(words) and _in_company(said, siblings):
            return word
    return None


def _in_company(said: tuple[str, ...], siblings: tuple[str, ...]) -> bool:
    if not MONEY_COMPANY.isdisjoint(said):
        return True
    return any(noun in sibling.lower() for sibling in siblings for noun in MONEY_COMPANY)
