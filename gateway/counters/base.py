"""What a limiter promises: all of a call's limits as one reservation, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

import msgspec

MICROS: Final = 1_000_000


class Charge(msgspec.Struct, frozen=True):
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


@dataclass(frozen=True, slots=True)
class Reserved:
    """Every limit had room and is charged; repeating the same decision id charges nothing more."""


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing was charged. `index` is the first full one of the charges; None seconds: it can never fit."""

    index: int
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The limits cannot be checked now. What was asked may still come to be charged, never twice."""


Reservation: TypeAlias = Reserved | Full | Unavailable


class Limiter(Protocol):
    async def reserve(self, decision_id: str, charges: Sequence[Charge]) -> Reservation: ...

    async def give_back(self, decision_id: str) -> None: ...

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
