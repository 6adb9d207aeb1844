"""What a limiter promises: all of a call's limits as one reservation, or nothing.

A reservation is charged at once, or held for a call that waits for a person. What is held counts in every
window, however long that takes, until it is settled (charged at that moment), given back, or expires.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

import msgspec

MICROS: Final = 1_000_000
# A hold counts for this long after its time limit: the news of an answer given just before may be late.
# Then it ends on its own, so that a gateway that died holds nothing for ever.
HOLD_GRACE_SECONDS: Final = 10


class Charge(msgspec.Struct, frozen=True, cache_hash=True):
    """One limit of one call. `max` in units, `cost_micros` in millionths of a unit.

    `key` is what the policy read from the arguments: None, text, a boolean or a number (compared by value).
    """

    organization: str
    scope_kind: str
    scope_id: str
    counter: str
    key: object
    window_ms: int
    max: int
    cost_micros: int


class Reserved(msgspec.Struct, frozen=True):
    """Every limit had room and is charged; repeating the same decision id charges nothing more."""


class Full(msgspec.Struct, frozen=True):
    """Nothing was charged. `index`: the first of the charges without room; None seconds: it can never fit.

    `left_micros`: what that limit has left, which is less than the charge.
    """

    index: int
    retry_after_seconds: int | None
    left_micros: int = 0


class Unavailable(msgspec.Struct, frozen=True):
    """The limits cannot be checked now: the call must not be sent.

    The request may still be charged, but never twice. The charge is given back when we hear of it, or when a
    store whose answer was lost is reached again, unless the same decision was asked for again meanwhile.
    """


RESERVED: Final = Reserved()
Reservation: TypeAlias = Reserved | Full | Unavailable


class NotHeld(msgspec.Struct, frozen=True):
    """Nothing was held under this decision id, or no longer; nothing was charged."""


Settlement: TypeAlias = Reserved | NotHeld | Unavailable


class Limiter(Protocol):
    async def reserve(
        self, decision_id: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        """Charges at once, or holds for `hold_seconds` from now if that is given."""

    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        """reserve() for many, without waiting. None for one that would have to wait: it is not begun.

        A decision may be passed here only once.
        """

    async def extend(self, decision_id: str, seconds: int) -> None:
        """Moves the time limit of what is held to so many seconds from now, if anything is held."""

    async def settle(self, decision_id: str) -> Settlement:
        """Charges what is held, at this moment. The second time, nothing is held any more."""

    async def release(self, decision_id: str) -> None:
        """Gives back what is held; what was charged stays."""

    async def give_back(self, decision_id: str) -> None:
        """Gives back what is held or charged."""

    async def spend(self, ticket: str, seconds: int) -> bool:
        """True if this ticket was never spent before. It is remembered for at least so many seconds.

        False also if that cannot be known now.
        """

    async def close(self) -> None: ...


def key_text(key: object) -> str:
    """One text for each type and value, so that "1", 1 and true are three keys and 1, 1.0 and 1e0 are one."""
    match key:
        case None:
            return ""
        case bool():
            return "b1" if key else "b0"
        case str():
            return f"s{key}"
        case int():
            return f"n{key}"
        case _:
            return f"n{_plain(Decimal(str(key)))}"


def _plain(number: Decimal) -> str:
    if not number:
        return "0"  # whatever its exponent or sign: a zero is never written out
    if number == number.to_integral_value():
        return str(int(number))
    return str(number.normalize())
