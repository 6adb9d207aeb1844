"""One transaction of the ledger: judging reservations, making them, settling them, giving them back.

A charge's row holds the running total of its counter up to and including it, so what counts in a window is
one subtraction however many charges there are, and charges are merged by deleting the rows of the older ones.
The total is kept as whole units and millionths, each of which fits 64 bits for ever. What is held for a call
that waits for a person is stored separately, and added to what counts in any window.
"""

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
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
)
from gateway.counters.tally import MERGE_EVERY, Counter, Tally, charge, total_at
from gateway.counters.windows import (
    KEPT_ONE_BY_ONE,
    LIVE_KEYS,
    LONGEST_WINDOW_MS,
    MOST_LATE_MS,
    has_room,
    late_ms,
    merged_away,
    whole_seconds,
)

# How long a repeated decision id is recognized, and a charge can be given back.
_RESERVATION_KEPT_MS: Final = 3_600_000
# For this long a full family of keys is not counted again for every call.
_FULL_FAMILY_KNOWN_MS: Final = 1_000
_SWEPT_AT_ONCE: Final = 2_000
# Giving back rewrites every later total while everyone waits. If there are more than this, it stays charged.
MOST_AFTER: Final = 1_000
_GRACE_MS: Final = 1000 * HOLD_GRACE_SECONDS
_KEPT_MS: Final = LONGEST_WINDOW_MS + MOST_LATE_MS
# At most one part in this many of what a limit has left is charged ahead, so that no worker misses it.
_AHEAD: Final = 500

FullFamilies: TypeAlias = dict[int, tuple[int, int]]
"""By family, the time its ten thousandth newest key was charged, and until when we rely on that."""

Owed: TypeAlias = tuple[Charge, Counter, int]
"""A limit of one call, its counter, and the largest of the costs the call's limits have for that counter."""

_KNOWN: Final = (
    "SELECT decision FROM reservation WHERE decision IN (SELECT value FROM json_each(:decisions))"
    " UNION ALL SELECT decision FROM held WHERE decision IN (SELECT value FROM json_each(:decisions))"
)


@dataclass(frozen=True, slots=True)
class _Held:
    """The holds on one counter: when each ends, and running sums of what has ended by then."""

    ends: list[int]
    sums: list[int]

    @property
    def micros(self) -> int:
        return self.sums[-1]

    def over(self, at: int) -> int:
        return self.sums[bisect_right(self.ends, at)]


class Batch:
    """One transaction, during which time stands still."""

    def __init__(
        self, db: sqlite3.Connection, now: int, doubt: int | None, full_families: FullFamilies
    ) -> None:
        self._db = db
        self._full_families = full_families
        self._doubt = doubt
        self.now = now
        self.charged = False
        self._tally = Tally(db, now, now - _GRACE_MS)
        self._made: set[str] = set()

    @property
    def crowded(self) -> set[int]:
        """Counters with so many charges that merge() is due."""
        return self._tally.crowded

    def look(self) -> tuple[str, int | None, bool]:
        """The store's epoch, since when it is in doubt, and whether that is only because it is new."""
        (epoch,) = self._db.execute("SELECT epoch FROM meta").fetchone()
        doubt = self._doubt
        if doubt is None or self.now >= doubt + _KEPT_MS:
            return epoch, None, False
        born = self._db.execute("SELECT 1 FROM born WHERE doubt_ms = ?", (doubt,)).fetchone()
        return epoch, doubt, born is not None

    def put_in_doubt(self) -> None:
        self._doubt = self.now
        self._db.execute("UPDATE meta SET doubt_ms = ?", (self.now,))
        self._db.execute("DELETE FROM born")

    def trust(self, doubt: int) -> None:
        """Ends the doubt that began then, but not a later one."""
        self._db.execute("UPDATE meta SET doubt_ms = NULL WHERE doubt_ms = ?", (doubt,))

    def write_down(self) -> None:
        """Must be called before the transaction is committed."""
        self._tally.write_down()

    def reserve_all(self, asked: Sequence[tuple[str, Sequence[Charge]]]) -> list[Reservation]:
        known = self._known([decision for decision, _ in asked])
        return [
            Reserved() if decision in known or decision in self._made else self._reserve(decision, charges)
            for decision, charges in asked
        ]

    def reserve(
        self, decision: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        if decision in self._made or self._known([decision]):
            return Reserved()
        return self._reserve(decision, charges, hold_seconds)

    def _known(self, decisions: Sequence[str]) -> set[str]:
        rows = self._db.execute(_KNOWN, {"decisions": json.dumps(decisions)}).fetchall()
        return {decision for (decision,) in rows}

    def _reserve(
        self, decision: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        owed, costs = self._owed(charges)
        if self._doubt is not None and any(cost and self._are_lost(one) for one, _, cost in owed):
            return Unavailable()
        for index, one in enumerate(owed):
            if not self._fits(*one):
                return Full(index, self._retry_after(owed), self._left(*one))
        for counter, cost in costs.items():
            if cost and hold_seconds is None:
                self._charge(decision, counter, cost)
            elif cost and hold_seconds is not None:
                self._hold(decision, counter, cost, self.now + 1000 * hold_seconds)
        return Reserved()

    def lateness(self, charges: Sequence[Charge]) -> int:
        """How long after being charged for ahead a call with these costs may still come."""
        owed, _ = self._owed(charges)
        for limit, counter, _ in owed:
            self._tally.lateness(counter, limit.window_ms)
        counters = [counter.late.ms for _, counter, _ in owed if counter.late is not None]
        return min([late_ms(one.window_ms) for one in charges] + counters)

    def reserve_ahead(self, name: str, charges: Sequence[Charge], wanted: int) -> int:
        """Charges under this name for up to `wanted` more calls with these costs; returns for how many."""
        (owed, costs), late = self._owed(charges), self.lateness(charges)
        room = min([wanted, *(self._room_ahead(*one) for one in owed)])
        if room > 0:
            for counter, cost in costs.items():
                self.charged = True
                self._tally.add_ahead(name, counter, room * cost, late)
        return max(room, 0)

    def _room_ahead(self, limit: Charge, counter: Counter, cost: int) -> int:
        few_keys = not counter.identity[4] or counter.family.keys < LIVE_KEYS // 2
        if not cost or not few_keys or self._are_lost(limit):
            return 0
        left = limit.max * MICROS - self._counted(counter, limit.window_ms) - counter.held
        return left // (_AHEAD * cost)

    def give_back_ahead(self, name: str, charges: Sequence[Charge], unused: int) -> None:
        """Gives back the charges for `unused` calls that were charged for ahead under this name."""
        costs = self._owed(charges)[1]
        self._tally.forget()
        self._full_families.clear()
        for counter, cost in costs.items():
            part = divmod(unused * cost, MICROS)
            found = self._db.execute(
                "UPDATE reservation SET units = units - ?, micros = micros - ?"
                " WHERE decision = ? AND counter = ? RETURNING at, serial",
                (*part, name, counter.id),
            ).fetchone()
            if found is not None and counter.id is not None:
                at, serial = found
                self._take_out(counter.id, at, serial, *part)

    def extend(self, decision: str, seconds: int) -> None:
        self._tally.forget()
        until = self.now + 1000 * seconds
        extended = self._db.execute(
            "UPDATE held SET until = ? WHERE decision = ? AND until > ? RETURNING counter",
            (until, decision, self.now - _GRACE_MS),
        ).fetchall()
        for (counter,) in extended:
            self._live_on(counter)

    def settle(self, decision: str) -> Settlement:
        """Charges what is held now, whatever else was charged since: a hold has always had its place."""
        rows = self._db.execute(
            "SELECT counter, micros FROM held WHERE decision = ? AND until > ? ORDER BY id",
            (decision, self.now - _GRACE_MS),
        ).fetchall()
        self.release(decision)
        for counter, micros in rows:
            self.charged = True
            charge(self._db, counter, self.now, [(decision, micros)], self.crowded)
        return Reserved() if rows else NotHeld()

    def release(self, decision: str) -> None:
        self._tally.forget()
        released = self._db.execute("DELETE FROM held WHERE decision = ? RETURNING counter", (decision,))
        for (counter,) in released.fetchall():
            self._full_families.clear()
            self._live_on(counter)

    def spend(self, ticket: str, seconds: int) -> bool:
        if self._in_doubt(1000 * seconds):
            return False  # it may have been spent before the state was lost
        made = self._db.execute(
            "INSERT OR IGNORE INTO spent VALUES (?, ?)", (ticket, self.now + 1000 * seconds)
        )
        self.charged = True
        return made.rowcount > 0

    def give_back(self, decision: str) -> None:
        self.release(decision)
        self._made.discard(decision)
        self._full_families.clear()
        rows = self._db.execute(
            "SELECT counter, at, serial, units, micros FROM reservation WHERE decision = ?", (decision,)
        ).fetchall()
        for row in rows:
            self._take_out(*row)
        self._db.execute("DELETE FROM reservation WHERE decision = ?", (decision,))

    def _take_out(self, counter: int, at: int, serial: int, units: int, micros: int) -> None:
        after = self._db.execute(
            "SELECT 1 FROM charge WHERE counter = ? AND (at, serial) >= (?, ?) LIMIT 1 OFFSET ?",
            (counter, at, serial, MOST_AFTER),
        )
        if after.fetchone() is not None:
            return
        # Its own row may have been merged away; every later total still includes it.
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
        """Updates how long its key is live: to be safe, for a window after the end of what is held."""
        self._db.execute(
            "UPDATE counter SET last_ms = MAX(COALESCE((SELECT MAX(at) FROM charge WHERE counter = :id), 0),"
            " COALESCE((SELECT MAX(until) + :grace FROM held WHERE counter = :id), 0)) WHERE id = :id",
            {"id": counter, "grace": _GRACE_MS},
        )

    def sweep(self, after: int) -> int:
        """Deletes a little of what no window can count any more; returns where to continue the next time."""
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
            if last_ms + _KEPT_MS <= self.now:
                self._forget(counter, family, key != "")
        return int(counters[-1][0]) if counters else 0

    def _forget(self, counter: int, family: int, keyed: bool) -> None:
        self._db.execute("DELETE FROM charge WHERE counter = ?", (counter,))
        self._db.execute("DELETE FROM late WHERE counter = ?", (counter,))
        self._db.execute("DELETE FROM counter WHERE id = ?", (counter,))
        self._db.execute("UPDATE family SET keys = keys - ? WHERE id = ?", (1 if keyed else 0, family))
        self._db.execute(
            "DELETE FROM family WHERE id = ? AND NOT EXISTS (SELECT 1 FROM counter WHERE family = ?)",
            (family, family),
        )

    def _are_lost(self, limit: Charge) -> bool:
        """True if charges to this limit may be missing here. They may have been used after they were made."""
        return self._in_doubt(limit.window_ms + MOST_LATE_MS)

    def _in_doubt(self, window: int) -> bool:
        return self._doubt is not None and self.now < self._doubt + window

    def _owed(self, charges: Sequence[Charge]) -> tuple[list[Owed], dict[Counter, int]]:
        found = [(one, self._tally.counter(one)) for one in charges]
        costs: dict[Counter, int] = {}
        for one, counter in found:
            costs[counter] = max(costs.get(counter, 0), one.cost_micros)
        return [(one, counter, costs[counter]) for one, counter in found], costs

    def _fits(self, limit: Charge, counter: Counter, cost: int) -> bool:
        if not cost:
            return True
        counted = self._counted(counter, limit.window_ms) + counter.held
        if not has_room(counted, cost, limit.max * MICROS):
            return False
        return self._key_free_from(limit, counter, self.now) <= self.now

    def _left(self, limit: Charge, counter: Counter, cost: int) -> int:
        """What a limit that does not fit has left: nothing where it is only the key that has no place."""
        left = limit.max * MICROS - self._counted(counter, limit.window_ms) - counter.held
        return left if 0 < left < cost else 0

    def _counted(self, counter: Counter, window: int) -> int:
        return counter.total - self._tally.total_before(counter, window)

    def _key_free_from(self, limit: Charge, counter: Counter, at: int) -> int:
        """The first time, `at` or later, when the counter's key is live or may become a live key."""
        window, family = limit.window_ms, counter.family
        if not counter.identity[4] or family.keys < LIVE_KEYS or counter.last_ms + window > at:
            return at
        assert family.id is not None
        oldest = self._oldest_live_key(family.id, at - window)
        return at if oldest is None else oldest + window

    def _oldest_live_key(self, family: int, after: int) -> int | None:
        """When the ten thousandth newest key was charged, if that was later than `after`."""
        known, until = self._full_families.get(family, (0, 0))
        # New charges only make it later, so an old result may go on denying. It never admits.
        if known > after and self.now < until:
            return known
        self._tally.write_down()
        row = self._db.execute(
            "SELECT last_ms FROM counter WHERE family = ? AND key != '' AND last_ms > ?"
            " ORDER BY last_ms DESC LIMIT 1 OFFSET ?",
            (family, after, LIVE_KEYS - 1),
        ).fetchone()
        if row is None:
            return None
        self._full_families[family] = (int(row[0]), self.now + _FULL_FAMILY_KNOWN_MS)
        return int(row[0])

    def _retry_after(self, owed: Sequence[Owed]) -> int | None:
        self._tally.write_down()
        until = self.now
        for one in owed:
            free = self._room_from(*one)
            if free is None:
                return None
            until = max(until, free)
        seconds = whole_seconds(self.now, until)
        # By then a key of this call may no longer be live, and need a place among the live ones again.
        then = self.now + 1000 * seconds
        later = max(
            (self._key_free_from(limit, counter, then) for limit, counter, cost in owed if cost),
            default=then,
        )
        return whole_seconds(self.now, max(then, later))

    def _room_from(self, limit: Charge, counter: Counter, cost: int) -> int | None:
        maximum = limit.max * MICROS
        if cost > maximum:
            return None
        held = self._held_until(counter)
        over = self._counted(counter, limit.window_ms) + held.micros + cost - maximum
        if not cost or over <= 0 or counter.id is None:
            return self.now
        # What counts and what is held only fall, so bisection finds the time without reading every charge.
        counter_id, window = counter.id, limit.window_ms
        gone = self._tally.total_before(counter, window)
        late = self._tally.lateness(counter, window)

        def left(at: int) -> int:
            then = min(at, self.now + window) - window - late
            return total_at(self._db, counter_id, then) - gone + held.over(at)

        times = range(self.now, max([self.now + window + late, *held.ends]))
        return self.now + bisect_left(times, over, key=left)

    def _held_until(self, counter: Counter) -> "_Held":
        if not counter.held:
            return _Held([], [0])
        rows = self._db.execute(
            "SELECT until, micros FROM held WHERE counter = ? AND until > ? ORDER BY until",
            (counter.id, self.now),
        ).fetchall()
        return _Held([row[0] for row in rows], [0, *accumulate(row[1] for row in rows)])

    def _charge(self, decision: str, counter: Counter, cost: int) -> None:
        self.charged = True
        self._made.add(decision)
        self._tally.add(decision, counter, cost)

    def _hold(self, decision: str, counter: Counter, cost: int, until: int) -> None:
        self.charged = True
        found = counter.id if counter.id is not None else self._tally.begin(counter)
        self._db.execute(
            "INSERT INTO held (decision, counter, until, micros) VALUES (?, ?, ?, ?)",
            (decision, found, until, cost),
        )
        self._tally.forget()
        self._live_on(found)

    def merge(self, counter: int) -> None:
        """Keeps the newest charges one by one and older ones in slices, back to the longest window."""
        rows = self._db.execute(
            "SELECT at, serial FROM charge WHERE counter = ? ORDER BY at, serial", (counter,)
        ).fetchall()
        older = rows[:-KEPT_ONE_BY_ONE]
        over = sum(1 for at, _ in older if at + _KEPT_MS <= self.now)
        # The newest charge that no window counts stays: the others are counted from its total.
        away = [*range(over - 1)]
        away += [over + place for place in merged_away([at for at, _ in older[over:]], self.now)]
        self._db.executemany(
            "DELETE FROM charge WHERE counter = ? AND at = ? AND serial = ?",
            [(counter, *older[place]) for place in away],
        )
        kept = len(rows) - len(away)
        self._db.execute(
            "UPDATE counter SET kept = ?, merge_at = ? WHERE id = ?", (kept, kept + MERGE_EVERY, counter)
        )
