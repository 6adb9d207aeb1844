"""One transaction of the ledger: judging reservations, making them, giving them back.

A charge's row holds the running total of its counter up to and including it, so what counts in a window is
one subtraction however many charges there are, and charges are merged by deleting the rows of the older ones.
The total is kept as whole units and millionths, each of which fits 64 bits for ever.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.counters.base import MICROS, Charge, Full, Reservation, Reserved, Unavailable, key_text
from gateway.counters.windows import (
    KEPT_ONE_BY_ONE,
    LIVE_KEYS,
    LONGEST_WINDOW_MS,
    has_room,
    merged_away,
    whole_seconds,
)

_MERGE_EVERY: Final = 1_000
# How long a repeated decision id is known again, and a charge can be given back.
_RESERVATION_KEPT_MS: Final = 3_600_000
# For so long one full family of keys is not counted again, call by call.
_FULL_FAMILY_KNOWN_MS: Final = 1_000
_SWEPT_AT_ONCE: Final = 2_000

Identity: TypeAlias = tuple[str, str, str, str, str]
FullFamilies: TypeAlias = dict[int, tuple[int, int]]
"""By family, the time its ten thousandth newest key was charged, and until when that is believed."""


@dataclass(slots=True)
class _Counter:
    """A counter as one reservation finds it; id None: it was never charged."""

    identity: Identity
    family: int | None
    keys: int
    id: int | None
    last_ms: int
    total: int
    cost: int


class Batch:
    """One transaction. Its time stands still."""

    def __init__(
        self, db: sqlite3.Connection, now: int, doubt: int | None, full_families: FullFamilies
    ) -> None:
        self._db = db
        self._full_families = full_families
        self._doubt = doubt
        self.now = now
        self.charged = False
        self.crowded: set[int] = set()
        """Counters with so many charges that merge() is due."""

    def reserve(self, decision: str, charges: Sequence[Charge]) -> Reservation:
        if self._db.execute("SELECT 1 FROM reservation WHERE decision = ?", (decision,)).fetchone():
            return Reserved()
        counters = self._counters(charges)
        tested = [(charge, counters[_identity(charge)]) for charge in charges]
        if any(counter.cost and self._in_doubt(charge.window_ms) for charge, counter in tested):
            return Unavailable()
        for index, (charge, counter) in enumerate(tested):
            if not self._fits(charge, counter):
                return Full(index, self._retry_after(tested))
        for counter in counters.values():
            if counter.cost:
                self._charge(decision, counter)
        return Reserved()

    def give_back(self, decision: str) -> None:
        self._full_families.clear()
        rows = self._db.execute(
            "SELECT counter, at, serial, units, micros FROM reservation WHERE decision = ?", (decision,)
        ).fetchall()
        for row in rows:
            self._take_out(*row)
        self._db.execute("DELETE FROM reservation WHERE decision = ?", (decision,))

    def _take_out(self, counter: int, at: int, serial: int, units: int, micros: int) -> None:
        # Its own row may have been merged away; every later total holds it all the same.
        self._db.execute(
            "UPDATE charge SET units = units - ?, micros = micros - ?"
            " WHERE counter = ? AND (at, serial) >= (?, ?)",
            (units, micros, counter, at, serial),
        )
        before = self._db.execute(
            "SELECT units, micros FROM charge WHERE counter = ? AND (at, serial) < (?, ?)"
            " ORDER BY at DESC, serial DESC LIMIT 1",
            (counter, at, serial),
        ).fetchone()
        gone = self._db.execute(
            "DELETE FROM charge WHERE (counter, at, serial, units, micros) = (?, ?, ?, ?, ?)",
            (counter, at, serial, *(before or (0, 0))),
        )
        self._db.execute(
            "UPDATE counter SET units = units - ?, micros = micros - ?, kept = kept - ?,"
            " last_ms = COALESCE((SELECT MAX(at) FROM charge WHERE counter = ?), 0) WHERE id = ?",
            (units, micros, gone.rowcount, counter, counter),
        )

    def sweep(self, after: int) -> int:
        """Forgets a little of what no window can count any more; answers where to go on the next time."""
        oldest = self._db.execute(
            "SELECT MAX(id) FROM (SELECT id, at FROM reservation ORDER BY id LIMIT ?) WHERE at < ?",
            (_SWEPT_AT_ONCE, self.now - _RESERVATION_KEPT_MS),
        ).fetchone()[0]
        if oldest is not None:
            self._db.execute("DELETE FROM reservation WHERE id <= ?", (oldest,))
        counters = self._db.execute(
            "SELECT id, family, last_ms, key FROM counter WHERE id > ? ORDER BY id LIMIT ?",
            (after, _SWEPT_AT_ONCE // 10),
        ).fetchall()
        for counter, family, last_ms, key in counters:
            if last_ms + LONGEST_WINDOW_MS <= self.now:
                self._forget(counter, family, key != "")
        return int(counters[-1][0]) if counters else 0

    def _forget(self, counter: int, family: int, keyed: bool) -> None:
        self._db.execute("DELETE FROM charge WHERE counter = ?", (counter,))
        self._db.execute("DELETE FROM counter WHERE id = ?", (counter,))
        self._db.execute("UPDATE family SET keys = keys - ? WHERE id = ?", (1 if keyed else 0, family))
        self._db.execute(
            "DELETE FROM family WHERE id = ? AND NOT EXISTS (SELECT 1 FROM counter WHERE family = ?)",
            (family, family),
        )

    def _in_doubt(self, window: int) -> bool:
        return self._doubt is not None and self.now < self._doubt + window

    def _counters(self, charges: Iterable[Charge]) -> dict[Identity, _Counter]:
        """Every counter once, with the largest of the costs its limits have for this call."""
        counters: dict[Identity, _Counter] = {}
        for charge in charges:
            identity = _identity(charge)
            known = counters.get(identity)
            if known is None:
                counters[identity] = self._find(identity, charge.cost_micros)
            else:
                known.cost = max(known.cost, charge.cost_micros)
        return counters

    def _find(self, identity: Identity, cost: int) -> _Counter:
        row = self._db.execute(
            "SELECT f.id, f.keys, c.id, c.last_ms, c.units, c.micros"
            " FROM family f LEFT JOIN counter c ON c.family = f.id AND c.key = ? WHERE f.name = ?",
            (identity[4], _family_name(identity)),
        ).fetchone()
        if row is None:
            return _Counter(identity, None, 0, None, 0, 0, cost)
        family, keys, found, last_ms, units, micros = row
        total = 0 if found is None else units * MICROS + micros
        return _Counter(identity, family, keys, found, last_ms or 0, total, cost)

    def _fits(self, charge: Charge, counter: _Counter) -> bool:
        if not counter.cost:
            return True
        counted = self._counted(counter, charge.window_ms)
        if not has_room(counted, counter.cost, charge.max * MICROS):
            return False
        return self._key_free_from(charge, counter, self.now) <= self.now

    def _counted(self, counter: _Counter, window: int) -> int:
        if counter.id is None:
            return 0
        return counter.total - self._total_before(counter.id, self.now - window)

    def _total_before(self, counter: int, at: int) -> int:
        """The running total up to and including `at`."""
        row = self._db.execute(
            "SELECT units, micros FROM charge WHERE counter = ? AND at <= ?"
            " ORDER BY at DESC, serial DESC LIMIT 1",
            (counter, at),
        ).fetchone()
        return 0 if row is None else int(row[0]) * MICROS + int(row[1])

    def _key_free_from(self, charge: Charge, counter: _Counter, at: int) -> int:
        """From when on, at `at` or later, the counter's key is live or may become one of its live keys."""
        window = charge.window_ms
        if not counter.identity[4] or counter.keys < LIVE_KEYS or counter.last_ms + window > at:
            return at
        assert counter.family is not None
        oldest = self._oldest_live_key(counter.family, at - window)
        return at if oldest is None else oldest + window

    def _oldest_live_key(self, family: int, after: int) -> int | None:
        """When the ten thousandth newest key was charged, if that was later than `after`."""
        known, until = self._full_families.get(family, (0, 0))
        # New charges only move it on, so what was found may go on denying. It never admits.
        if known > after and self.now < until:
            return known
        row = self._db.execute(
            "SELECT last_ms FROM counter WHERE family = ? AND key != '' AND last_ms > ?"
            " ORDER BY last_ms DESC LIMIT 1 OFFSET ?",
            (family, after, LIVE_KEYS - 1),
        ).fetchone()
        if row is None:
            return None
        self._full_families[family] = (int(row[0]), self.now + _FULL_FAMILY_KNOWN_MS)
        return int(row[0])

    def _retry_after(self, tested: Sequence[tuple[Charge, _Counter]]) -> int | None:
        until = self.now
        for charge, counter in tested:
            free = self._room_from(charge, counter)
            if free is None:
                return None
            until = max(until, free)
        seconds = whole_seconds(self.now, until)
        # By then a key of this call may have died and need a place among the live ones again.
        then = self.now + 1000 * seconds
        later = max(
            (self._key_free_from(charge, counter, then) for charge, counter in tested if counter.cost),
            default=then,
        )
        return whole_seconds(self.now, max(then, later))

    def _room_from(self, charge: Charge, counter: _Counter) -> int | None:
        maximum = charge.max * MICROS
        if counter.cost > maximum:
            return None
        over = self._counted(counter, charge.window_ms) + counter.cost - maximum
        if not counter.cost or over <= 0 or counter.id is None:
            return self.now
        # Totals only rise: whose leaving makes room is found without looking at all there are.
        counter_id, since = counter.id, self.now - charge.window_ms
        needed = self._total_before(counter_id, since) + over
        times = range(since, self.now)
        place = bisect_left(times, needed, key=lambda at: self._total_before(counter_id, at))
        return since + place + charge.window_ms

    def _charge(self, decision: str, counter: _Counter) -> None:
        self.charged = True
        cost = divmod(counter.cost, MICROS)
        found = counter.id if counter.id is not None else self._new_counter(counter)
        serial, units, micros, kept, merge_at = self._db.execute(
            "UPDATE counter SET last_ms = ?, units = units + ?, micros = micros + ?,"
            " serial = serial + 1, kept = kept + 1 WHERE id = ?"
            " RETURNING serial, units, micros, kept, merge_at",
            (self.now, *cost, found),
        ).fetchone()
        self._db.execute(
            "INSERT INTO charge VALUES (?, ?, ?, ?, ?)", (found, self.now, serial, units, micros)
        )
        self._db.execute(
            "INSERT INTO reservation (decision, counter, at, serial, units, micros)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (decision, found, self.now, serial, *cost),
        )
        if kept >= merge_at:
            self.crowded.add(found)

    def _new_counter(self, counter: _Counter) -> int:
        family = counter.family
        if family is None:
            # Another counter of this very call may have made it a moment ago.
            name = _family_name(counter.identity)
            self._db.execute("INSERT OR IGNORE INTO family (name) VALUES (?)", (name,))
            family = int(self._db.execute("SELECT id FROM family WHERE name = ?", (name,)).fetchone()[0])
        if counter.identity[4]:
            self._db.execute("UPDATE family SET keys = keys + 1 WHERE id = ?", (family,))
        made = self._db.execute(
            "INSERT INTO counter (family, key, last_ms, serial, units, micros, kept, merge_at)"
            " VALUES (?, ?, ?, 0, 0, 0, 0, ?)",
            (family, counter.identity[4], self.now, KEPT_ONE_BY_ONE + _MERGE_EVERY),
        )
        assert made.lastrowid is not None
        return made.lastrowid

    def merge(self, counter: int) -> None:
        """Keeps the newest charges one by one, what is older in slices, back to the longest window."""
        rows = self._db.execute(
            "SELECT at, serial FROM charge WHERE counter = ? ORDER BY at, serial", (counter,)
        ).fetchall()
        older = rows[:-KEPT_ONE_BY_ONE]
        over = sum(1 for at, _ in older if at + LONGEST_WINDOW_MS <= self.now)
        # The newest of what no window counts stays: its total is what the others are counted from.
        away = [*range(over - 1)]
        away += [over + place for place in merged_away([at for at, _ in older[over:]], self.now)]
        self._db.executemany(
            "DELETE FROM charge WHERE counter = ? AND at = ? AND serial = ?",
            [(counter, *older[place]) for place in away],
        )
        kept = len(rows) - len(away)
        self._db.execute(
            "UPDATE counter SET kept = ?, merge_at = ? WHERE id = ?", (kept, kept + _MERGE_EVERY, counter)
        )


def _identity(charge: Charge) -> Identity:
    return (charge.organization, charge.scope_kind, charge.scope_id, charge.counter, key_text(charge.key))


def _family_name(identity: Identity) -> str:
    # None of the parts can hold a line feed: ids, one of three words, and a counter's few letters.
    return "\n".join(identity[:4])
