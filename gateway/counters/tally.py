"""The counters one transaction looks at: each is read once, added to in memory, and written once.

So what many calls charge to one counter at one moment is one row: they count from the same time, and each
can still be given back alone.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway.counters.base import MICROS, Charge, key_text
from gateway.counters.windows import KEPT_ONE_BY_ONE, late_ms

MERGE_EVERY: Final = 1_000

Identity: TypeAlias = tuple[str, str, str, str, str]


@dataclass(slots=True)
class Family:
    """The counters of one name, one for each key. id None: it is not in the database yet."""

    id: int | None
    keys: int


@dataclass(frozen=True, slots=True)
class Late:
    """How long after it was made a charge may be used: `ms`, but `was_ms` for those before `since`."""

    ms: int
    was_ms: int
    since: int = 0

    def of(self, window: int, now: int) -> int:
        """By how much the window is lengthened: by `was_ms` until all charges before `since` have left it."""
        return self.ms if now >= self.since + window + self.was_ms else self.was_ms


@dataclass(slots=True, eq=False)
class Counter:
    """A counter as this transaction leaves it. id None: never charged. `before`: totals by window."""

    identity: Identity
    family: Family
    id: int | None = None
    last_ms: int = 0
    total: int = 0
    held: int = 0
    late: Late | None = None
    before: dict[int, int] = field(default_factory=dict)
    added: list[tuple[str, int]] = field(default_factory=list)
    """Charges that are not written yet: decisions and their costs."""


class Tally:
    def __init__(self, db: sqlite3.Connection, now: int, held_since: int) -> None:
        self._db = db
        self._now = now
        self._held_since = held_since
        self._families: dict[str, Family] = {}
        self._counters: dict[Identity, Counter] = {}
        self._changed: list[Counter] = []
        self.crowded: set[int] = set()
        """Counters with so many charges that they must be merged."""

    def counter(self, charge: Charge) -> Counter:
        identity = (
            charge.organization,
            charge.scope_kind,
            charge.scope_id,
            charge.counter,
            key_text(charge.key),
        )
        known = self._counters.get(identity)
        if known is None:
            known = self._counters[identity] = self._read(identity)
        return known

    def total_before(self, counter: Counter, window: int) -> int:
        """The counter's total when the window began."""
        if counter.id is None:
            return 0
        window += self.lateness(counter, window)
        known = counter.before.get(window)
        if known is None:
            known = counter.before[window] = total_at(self._db, counter.id, self._now - window)
        return known

    def lateness(self, counter: Counter, window: int) -> int:
        """By how much the window is lengthened. The shortest window that ever counted here bounds it, from
        the next millisecond on."""
        late, most = counter.late, late_ms(window)
        if late is None:
            return 0
        if most < late.ms:
            late = counter.late = Late(most, max(late.ms, late.was_ms), self._now + 1)
            self._db.execute(
                "UPDATE late SET ms = ?, was_ms = ?, since = ? WHERE counter = ?",
                (late.ms, late.was_ms, late.since, counter.id),
            )
        return late.of(window, self._now)

    def add(self, decision: str, counter: Counter, cost: int) -> None:
        if not counter.added:
            self._changed.append(counter)
        counter.added.append((decision, cost))
        counter.total += cost
        counter.last_ms = max(counter.last_ms, self._now)
        if counter.id is None:
            counter.id = self.begin(counter)

    def begin(self, counter: Counter) -> int:
        """Creates the counter, with nothing charged yet."""
        family, key = counter.family, counter.identity[4]
        if family.id is None:
            made = self._db.execute("INSERT INTO family (name) VALUES (?)", (_family_name(counter.identity),))
            family.id = made.lastrowid
        if key:
            family.keys += 1
            self._db.execute("UPDATE family SET keys = keys + 1 WHERE id = ?", (family.id,))
        made = self._db.execute(
            "INSERT INTO counter (family, key, last_ms, serial, units, micros, kept, merge_at)"
            " VALUES (?, ?, ?, 0, 0, 0, 0, ?)",
            (family.id, key, self._now, KEPT_ONE_BY_ONE + MERGE_EVERY),
        )
        assert made.lastrowid is not None
        counter.id = made.lastrowid
        return counter.id

    def add_ahead(self, name: str, counter: Counter, cost: int, late: int) -> None:
        """Adds a charge to be used up to `late` ms later. From now on all of the counter's count longer."""
        self.add(name, counter, cost)
        if counter.late is None:
            counter.late = Late(late, late)
            self._db.execute("INSERT INTO late VALUES (?, ?, ?, 0)", (counter.id, late, late))

    def write_down(self) -> None:
        changed, self._changed = self._changed, []
        for counter in changed:
            added, counter.added = counter.added, []
            assert counter.id is not None
            charge(self._db, counter.id, self._now, added, self.crowded)

    def forget(self) -> None:
        """For when others change the tables: writes what was added, and lets everything be read again."""
        self.write_down()
        self._families.clear()
        self._counters.clear()

    def _read(self, identity: Identity) -> Counter:
        name = _family_name(identity)
        row = self._db.execute(
            "SELECT f.id, f.keys, c.id, c.last_ms, c.units, c.micros,"
            " (SELECT SUM(h.micros) FROM held h WHERE h.counter = c.id AND h.until > ?),"
            " l.ms, l.was_ms, l.since"
            " FROM family f LEFT JOIN counter c ON c.family = f.id AND c.key = ?"
            " LEFT JOIN late l ON l.counter = c.id WHERE f.name = ?",
            (self._held_since, identity[4], name),
        ).fetchone()
        if row is None:
            return Counter(identity, self._families.setdefault(name, Family(None, 0)))
        family = self._families.setdefault(name, Family(row[0], row[1]))
        if row[2] is None:
            return Counter(identity, family)
        _, _, found, last_ms, units, micros, held, *lateness = row
        late = None if lateness[0] is None else Late(*lateness)
        return Counter(identity, family, found, last_ms, units * MICROS + micros, held or 0, late)


def total_at(db: sqlite3.Connection, counter: int, at: int) -> int:
    """The running total up to and including `at`."""
    row = db.execute(
        "SELECT units, micros FROM charge WHERE counter = ? AND at <= ?"
        " ORDER BY at DESC, serial DESC LIMIT 1",
        (counter, at),
    ).fetchone()
    return 0 if row is None else int(row[0]) * MICROS + int(row[1])


def charge(
    db: sqlite3.Connection, counter: int, now: int, added: list[tuple[str, int]], crowded: set[int]
) -> None:
    """Writes one charge for all of it, and for each decision a row by which it can be given back."""
    costs = [(decision, *divmod(cost, MICROS)) for decision, cost in added]
    serial, units, micros, kept, merge_at = db.execute(
        "UPDATE counter SET last_ms = MAX(last_ms, ?), units = units + ?, micros = micros + ?,"
        " serial = serial + 1, kept = kept + 1 WHERE id = ?"
        " RETURNING serial, units, micros, kept, merge_at",
        (now, sum(cost[1] for cost in costs), sum(cost[2] for cost in costs), counter),
    ).fetchone()
    db.execute("INSERT INTO charge VALUES (?, ?, ?, ?, ?)", (counter, now, serial, units, micros))
    db.executemany(
        "INSERT INTO reservation (decision, counter, at, serial, units, micros) VALUES (?, ?, ?, ?, ?, ?)",
        [(decision, counter, now, serial, *cost) for decision, *cost in costs],
    )
    if kept >= merge_at:
        crowded.add(counter)


def _family_name(identity: Identity) -> str:
    # None of the parts can hold a line feed: ids, one of three words, and the letters of a counter's name.
    return "\n".join(identity[:4])
