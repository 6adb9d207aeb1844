"""What a limiter promises: all of a call's limits as one reservation, or nothing.

A reservation is charged at once, or held for a call that waits for a person: what is held counts in every
window however long that takes, until it is settled (charged at that moment), given back, or over.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

import msgspec

MICROS: Final = 1_000_000
# What is held counts for so long after its time limit: the news of an answer given just before may be late.
# But then it ends by itself, so that nothing is held for ever by a gateway that died.
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
    """Nothing was charged. `index` is the first full one of the charges; None seconds: it can never fit."""

    index: int
    retry_after_seconds: int | None


class Unavailable(msgspec.Struct, frozen=True):
    """The limits cannot be checked now: the call is not to be sent.

    What was asked may still come to be charged, never twice; it is given back when that is heard, or when a
    store whose answer was lost is reached again, unless the same decision was brought again meanwhile.
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
        """Charged at once, or held where `hold_seconds` is given: its time limit from now."""

    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        """reserve() for many, without waiting. None for what would have to wait: for that nothing was done.

        A decision is brought here once.
        """

    async def extend(self, decision_id: str, seconds: int) -> None:
        """What is held has its time limit so many seconds from now. Nothing where nothing is held."""

    async def settle(self, decision_id: str) -> Settlement:
        """What was held is charged at this moment. A second time there is nothing held any more."""

    async def release(self, decision_id: str) -> None:
        """Gives back what is held; what was charged stays."""

    async def give_back(self, decision_id: str) -> None:
        """Gives back what is held or charged."""

    async def spend(self, ticket: str, seconds: int) -> bool:
        """Whether this ticket was never spent before. It is known again for so many seconds at least.

        False also where that cannot be known now.
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
