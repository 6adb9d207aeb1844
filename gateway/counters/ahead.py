"""Charging ahead: when calls of one kind come fast, one transaction also pays for those of the next moment.

A charge made ahead is used within the time that late_ms() gives, or given back, and a counter with such
charges counts all of them that much longer. So no window ever holds more than its max: every call let through
in a window was charged for within the lengthened window, and the last charge made saw all of that. A worker
that is killed has used less than it was charged for, never more.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from gateway.counters.base import Charge, Reservation, Reserved
from gateway.counters.charging import Batch

# Fewer are not worth it, and a kind of call not seen for this long counts as new.
_FEWEST: Final = 4
_MOST: Final = 2_000
_FORGOTTEN_AFTER_MS: Final = 100
_KINDS: Final = 1_000
# At most twice as many are kept. A dict whose first entry is removed again and again gets ever slower.
_REMEMBERED: Final = 10_000

Kind: TypeAlias = tuple[Charge, ...]


@dataclass(slots=True, eq=False)
class _Ahead:
    """The recent calls of one kind. `left`: how many more are paid for, until `until`."""

    name: str
    began: int
    seen: int
    left: int = 0
    until: int = 0


class Unused(NamedTuple):
    name: str
    kind: Kind
    calls: int

    def give_back(self, batch: Batch) -> None:
        batch.give_back_ahead(self.name, self.kind, self.calls)


class Made(NamedTuple):
    """Charges for `calls` of a kind, and under `name` for `more` that may follow."""

    kind: Kind
    calls: int
    name: str
    more: int
    used_within_ms: int


class Charged(NamedTuple):
    """The result of one transaction, once it is committed."""

    reservations: Sequence[Reservation]
    made: Sequence[Made]


@dataclass(slots=True)
class Ahead:
    """The charges one worker made ahead; used on its event loop."""

    now: Callable[[], int]
    unused: list[Unused] = field(default_factory=list)
    """To be given back."""
    _kinds: dict[Kind, _Ahead] = field(default_factory=dict)
    _names: dict[str, tuple[str, Kind]] = field(default_factory=dict)
    _older_names: dict[str, tuple[str, Kind]] = field(default_factory=dict)

    def take(self, decision: str, kind: Kind, now: int) -> bool:
        """True if this call is already paid for; then one call fewer is left."""
        known = self._kinds.get(kind)
        if known is None or not known.left:
            return False
        if now > known.until:
            self._give_up(known, kind)
            return False
        known.left -= 1
        known.seen += 1
        self._names[decision] = (known.name, kind)
        if len(self._names) >= _REMEMBERED:
            # What is forgotten can no longer be given back.
            self._older_names, self._names = self._names, {}
        return True

    def charge(self, asked: Sequence[tuple[str, Kind]], batch: Batch) -> Charged:
        """Charges for these calls and those expected in the next moment; gives back what went unused."""
        for unused in self.unused:
            unused.give_back(batch)
        reservations = batch.reserve_all(asked)
        pairs = zip(asked, reservations, strict=True)
        calls = Counter(kind for (_, kind), made in pairs if isinstance(made, Reserved))
        return Charged(reservations, [self._charge_more(batch, *one) for one in calls.items()])

    def _charge_more(self, batch: Batch, kind: Kind, calls: int) -> Made:
        name = f"ahead-{secrets.token_hex(12)}"
        within = batch.lateness(kind) - 1  # both ends are rounded down to whole milliseconds
        wanted = self._wanted(kind, calls, within)
        return Made(kind, calls, name, batch.reserve_ahead(name, kind, wanted) if wanted else 0, within)

    def _wanted(self, kind: Kind, calls: int, within: int) -> int:
        known = self._kinds.get(kind)
        elapsed = self.now() - known.began if known is not None else 0
        if known is None or elapsed > _FORGOTTEN_AFTER_MS:
            return 0
        expected = (known.seen + calls) * within // max(elapsed, 1)
        return min(expected, _MOST) if expected >= _FEWEST else 0

    def committed(self, charged: Charged, since: int) -> bool:
        """True if there is anything to use now. All of it was charged after `since`."""
        self.unused.clear()
        for made in charged.made:
            self._begin(made, since)
        return any(made.more for made in charged.made)

    def _begin(self, made: Made, since: int) -> None:
        known = self._kinds.pop(made.kind, None)
        if known is not None:
            self._give_up(known, made.kind)
        if len(self._kinds) >= _KINDS:
            oldest = next(iter(self._kinds))
            self._give_up(self._kinds.pop(oldest), oldest)
        until = since + made.used_within_ms
        self._kinds[made.kind] = _Ahead(made.name, since, made.calls, made.more, until)

    def give_back(self, decision: str) -> bool:
        """True if the call was charged for ahead, and nothing else has to be given back."""
        used = self._names.pop(decision, None) or self._older_names.pop(decision, None)
        if used is not None:
            self.unused.append(Unused(*used, 1))
        return used is not None

    def give_up(self, *, all: bool = False) -> bool:
        """Marks what was not used in time as unused. True if some may still be used."""
        now = self.now()
        for kind, known in self._kinds.items():
            if all or now > known.until:
                self._give_up(known, kind)
        return any(known.left for known in self._kinds.values())

    def _give_up(self, known: _Ahead, kind: Kind) -> None:
        if known.left:
            self.unused.append(Unused(known.name, kind, known.left))
            known.left = 0
