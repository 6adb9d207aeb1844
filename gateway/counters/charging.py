"""One transaction of the ledger: judging reservations, making them, settling them, giving them back.

A charge's row holds the running total of its counter up to and including it, so what counts in a window is
one subtraction however many charges there are, and charges are merged by deleting the rows of the older ones.
The total is kept as whole units and millionths, each of which fits 64 bits for ever. What is held for a call
that waits for a person stands apart, and is added to what counts in any window.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from gateway.counters.base import (
    HOLD_GRACE_SECONDS,
    MICROS,
    Charge,
    Full,
    NotHeld,
    Reservation,
    Reserved,
    Settlement,
    Unavailable,
    key_text,
)
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
_GRACE_MS: Final = 1000 * HOLD_GRACE_SECONDS

Identity: TypeAlias = tuple[str, str, str, str, str]
FullFamilies: TypeAlias = dict[int, tuple[int, int]]
"""By family, the time its ten thousandth newest key was charged, and until when that is believed."""


_IS_KNOWN: Final = (
    "SELECT 1 FROM reservation WHERE decision = ? UNION ALL SELECT 1 FROM held WHERE decision = ?"
)


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held at one counter: ends of time limits, and how much has ended with the first so many."""

    ends: list[int]
    sums: list[int]

    @property
    def micros(self) -> int:
        return self.sums[-1]

    def over(self, at: int) -> int:
        return self.sums[bisect_right(self.ends, at)]


@dataclass(slots=True)
class _Counter:
    """A counter as one reservation finds it; id None: it was never charged."""

    identity: Identity
    family: int | None
    keys: int
    id: int | None
    last_ms: int
    total: int
    held: int
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

    def reserve(
        self, decision: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        if self._db.execute(_IS_KNOWN, (decision, decision)).fetchone():
            return Reserved()
        counters = self._counters(charges)
        tested = [(charge, counters[_identity(charge)]) for charge in charges]
        if any(counter.cost and self._in_doubt(charge.window_ms) for charge, counter in tested):
            return Unavailable()
        for index, (charge, counter) in enumerate(tested):
            if not self._fits(charge, counter):
                return Full(index, self._retry_after(tested))
        for counter in counters.values():
            if counter.cost and hold_seconds is None:
                self._charge(decision, counter)
            elif counter.cost and hold_seconds is not None:
                self._hold(decision, counter, self.now + 1000 * hold_seconds)
        return Reserved()

    def extend(self, decision: str, seconds: int) -> None:
        until = self.now + 1000 * seconds
        extended = self._db.execute(
            "UPDATE held SET until = ? WHERE decision = ? AND until > ? RETURNING counter",
            (until, decision, self.now - _GRACE_MS),
        ).fetchall()
        for (counter,) in extended:
            self._live_on(counter)

    def settle(self, decision: str) -> Settlement:
        """Charged now, whatever else was charged since: what is held always had its place."""
        rows = self._db.execute(
            "SELECT counter, micros FROM held WHERE decision = ? AND until > ? ORDER BY id",
            (decision, self.now - _GRACE_MS),
        ).fetchall()
        self.release(decision)
        for counter, micros in rows:
            self._add(decision, counter, micros)
        return Reserved() if rows else NotHeld()

    def release(self, decision: str) -> None:
        released = self._db.execute("DELETE FROM held WHERE decision = ? RETURNING counter", (decision,))
        for (counter,) in released.fetchall():
            self._full_families.clear()
            self._live_on(counter)

    def spend(self, ticket: str, seconds: int) -> bool:
        if self._in_doubt(1000 * seconds):
            return False  # it may have been spent where nothing is known of any more
        made = self._db.execute(
            "INSERT OR IGNORE INTO spent VALUES (?, ?)", (ticket, self.now + 1000 * seconds)
        )
        self.charged = True
        return made.rowcount > 0

    def give_back(self, decision: str) -> None:
        self.release(decision)
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
            "UPDATE counter SET units = units - ?, micros = micros - ?, kept = kept - ? WHERE id = ?",
            (units, micros, gone.rowcount, counter),
        )
        self._live_on(counter)

    def _live_on(self, counter: int) -> None:
        """Says anew how long its key is live: for a window after the end of what is held, to be safe."""
        self._db.execute(
            "UPDATE counter SET last_ms = MAX(COALESCE((SELECT MAX(at) FROM charge WHERE counter = ?1), 0),"
            " COALESCE((SELECT MAX(until) + ?2 FROM held WHERE counter = ?1), 0)) WHERE id = ?1",
            (counter, _GRACE_MS),
        )

    def sweep(self, after: int) -> int:
        """Forgets a little of what no window can count any more; answers where to go on the next time."""
        oldest = self._db.execute(
            "SELECT MAX(id) FROM (SELECT id, at FROM reservation ORDER BY id LIMIT ?) WHERE at < ?",
            (_SWEPT_AT_ONCE, self.now - _RESERVATION_KEPT_MS),
        ).fetchone()[0]
        if oldest is not None:
            self._db.execute("DELETE FROM reservation WHERE id <= ?", (oldest,))
        self._db.execute("DELETE FROM spent WHERE until <= ?", (self.now,))
        over = self._db.execute(
            "SELECT DISTINCT decision FROM held WHERE until <= ?", (self.now - _GRACE_MS,)
        ).fetchall()
        for (decision,) in over:
            self.release(decision)
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
            "SELECT f.id, f.keys, c.id, c.last_ms, c.units, c.micros,"
            " (SELECT SUM(h.micros) FROM held h WHERE h.counter = c.id AND h.until > ?)"
            " FROM family f LEFT JOIN counter c ON c.family = f.id AND c.key = ? WHERE f.name = ?",
            (self.now - _GRACE_MS, identity[4], _family_name(identity)),
        ).fetchone()
        if row is None:
            return _Counter(identity, None, 0, None, 0, 0, 0, cost)
        family, keys, found, last_ms, units, micros, held = row
        total = 0 if found is None else units * MICROS + micros
        return _Counter(identity, family, keys, found, last_ms or 0, total, held or 0, cost)

    def _fits(self, charge: Charge, counter: _Counter) -> bool:
        if not counter.cost:
            return True
        counted = self._counted(counter, charge.window_ms) + counter.held
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
        held = self._held_until(counter)
        over = self._counted(counter, charge.window_ms) + held.micros + counter.cost - maximum
        if not counter.cost or over <= 0 or counter.id is None:
            return self.now
        # Both only fall: whose leaving makes room is found without looking at all there are.
        counter_id, window = counter.id, charge.window_ms
        gone = self._total_before(counter_id, self.now - window)

        def left(at: int) -> int:
            return self._total_before(counter_id, min(at, self.now + window) - window) - gone + held.over(at)

        times = range(self.now, max([self.now + window, *held.ends]))
        return self.now + bisect_left(times, over, key=left)

    def _held_until(self, counter: _Counter) -> "_Held":
        if not counter.held:
            return _Held([], [0])
        rows = self._db.execute(
            "SELECT until, micros FROM held WHERE counter = ? AND until > ? ORDER BY until",
            (counter.id, self.now),
        ).fetchall()
        return _Held([row[0] for row in rows], [0, *accumulate(row[1] for row in rows)])

    def _charge(self, decision: str, counter: _Counter) -> None:
        found = counter.id if counter.id is not None else self._new_counter(counter)
        self._add(decision, found, counter.cost)

    def _hold(self, decision: str, counter: _Counter, until: int) -> None:
        self.charged = True
        found = counter.id if counter.id is not None else self._new_counter(counter)
        self._db.execute(
            "INSERT INTO held (decision, counter, until, micros) VALUES (?, ?, ?, ?)",
            (decision, found, until, counter.cost),
        )
        self._live_on(found)

    def _add(self, decision: str, found: int, micros_charged: int) -> None:
        self.charged = True
        cost = divmod(micros_charged, MICROS)
        serial, units, micros, kept, merge_at = self._db.execute(
            "UPDATE counter SET last_ms = MAX(last_ms, ?), units = units + ?, micros = micros + ?,"
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
