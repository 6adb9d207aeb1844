"""Finds the worst tools that match a question, and the largest servers, without reading what is not shown.

If every word is a common one, the answer is read off the order of the index (`catalog.order`). Otherwise
full-text search finds the few rows with the rare words, and these are sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connection

from catalog.lexemes import all_of, any_of, begun, of_glued, of_words
from catalog.order import MOST_ASKED, Order

# Few tools share an exact name, except for names like `search`.
MOST_EXACT: Final = 50
# At most this many of the rows that rare words find are read and sorted.
MOST_READ: Final = 3_000
# The planner takes words to be independent of each other; where it is wrong it would read the whole table for
# the first rows. Statements sent together are one transaction, after which the planner's settings are back.
_BY_INDEX: Final = "SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '16MB'; SET LOCAL jit = off; "
_AGAIN: Final = (
    "; SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL work_mem TO DEFAULT; SET LOCAL jit TO DEFAULT"
)
_SETTINGS: Final = 3
_COLUMNS: Final = "id, server_id, tool_class, severity, name_key"
# Common words are checked in the rows that the rare ones found, not looked up in the index (`IS TRUE`).
_NARROWED: Final = """search @@ %s::tsquery AND (%s OR search @@ %s::tsquery) IS TRUE
    AND tool_class = ANY(%s) AND severity = ANY(%s)"""
_ORDERED: Final = f"""
    WITH found AS MATERIALIZED (SELECT {_COLUMNS} FROM catalog_catalogtool WHERE {_NARROWED} LIMIT %s)
    SELECT * FROM found ORDER BY severity DESC, name_key, id LIMIT %s
"""  # noqa: S608
_EXACT: Final = """
    SELECT id FROM catalog_catalogtool
    WHERE name_key = %s AND search IS NOT NULL AND (%s OR search @@ %s::tsquery)
        AND tool_class = ANY(%s) AND severity = ANY(%s)
    ORDER BY severity DESC, id LIMIT %s
"""
_SERVERS: Final = """
    WITH found AS MATERIALIZED (
        SELECT id, tool_count, slug FROM catalog_catalogserver WHERE search @@ %s::tsquery LIMIT %s
    ) SELECT id FROM found ORDER BY tool_count DESC, slug LIMIT %s
"""
_ANY: Final = "SELECT 1 FROM catalog_catalog{kind} WHERE search @@ %s::tsquery LIMIT 1"
_BEGUN: Final = """
    WITH found AS MATERIALIZED (
        SELECT search FROM catalog_catalog{kind} WHERE search @@ %s::tsquery LIMIT %s
    ) SELECT DISTINCT word FROM found, unnest(tsvector_to_array(search)) word WHERE starts_with(word, %s)
"""
_BOTH: Final = ("tool", "server")
_KINDS: Final = "SELECT id, vendor, transports FROM catalog_catalogserver WHERE id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Question:
    """`facets`: by name, the values of which any will do. `classes` and `severities`: those asked for, or all
    if none is."""

    words: tuple[str, ...]
    facets: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]
    severities: tuple[int, ...]
    exact: str = ""

    def terms(self, common: Mapping[str, int]) -> list[list[str]] | None:
        """Groups of common terms, of each of which a match has one; None if a word is rare. If short words
        begin too many terms, only the most frequent are taken."""
        each = [begun(word, common) for word in self.words]
        facets = [[f"{name}={value.lower()}" for value in values] for name, values in self.facets.items()]
        if not all(each):
            return None
        if sum(map(len, [*each, *facets])) > MOST_ASKED:
            most = (MOST_ASKED - sum(map(len, facets))) // len(each)
            each = [
                sorted(found, key=lambda one: (one != word, -common[one]))[:most]
                for word, found in zip(self.words, each, strict=True)
            ]
        return [*each, *(group for group in facets if group)]

    def is_whole(self, groups: Iterable[Iterable[str]], common: Mapping[str, int]) -> bool:
        asked = {term for group in groups for term in group}
        return all(asked.issuperset(begun(word, common)) for word in self.words)

    def sought(self, common: Mapping[str, int]) -> Sought:
        rare, rest = of_words(self.words, common)
        facets = self.of_facets()
        return Sought(rare, [*rest, *facets]) if rare else Sought(facets, rest)

    def sought_glued(self, common: Mapping[str, int]) -> Sought:
        rare, rest = of_glued(self.words, common)
        return Sought(rare, [*rest, *self.of_facets()])

    def of_facets(self) -> list[str]:
        return [
            any_of(f"{name}={value.lower()}" for value in values)
            for name, values in self.facets.items()
            if values and name not in ("class", "severity")
        ]


@dataclass(frozen=True, slots=True)
class Sought:
    """Parts of a tsquery: `rare` finds the rows, and `rest` has to be true of them as well. Classes and
    severities are columns, not terms."""

    rare: Sequence[str]
    rest: Sequence[str]


@dataclass(frozen=True, slots=True)
class Matches:
    """`is_counted`: the total is exact; otherwise there may be more."""

    keys: list[int]
    total: int
    counts: Mapping[str, Counter[str]]
    is_counted: bool = True

    def after(self, first: Sequence[int]) -> Matches:
        """The same, with `first` put in front."""
        before = set(first)
        return replace(self, keys=[*first, *(key for key in self.keys if key not in before)])


def worst_ranked(
    asked: Question,
    common: Mapping[str, int],
    order: Order,
    wanted: int,
    counted: Mapping[str, Sequence[str]],
) -> Matches | None:
    """Matches read off the order; None if a word is rare. `counted`: the values of facets to count."""
    groups = asked.terms(common)
    found = order.all_of(groups) if groups else None
    if found is None:
        return None
    first = order.first(found, wanted)
    terms = {f"{name}={value.lower()}": (name, value) for name, values in counted.items() for value in values}
    counts: dict[str, Counter[str]] = {name: Counter() for name in counted}
    for term, many in order.having(found, list(terms)).items():
        name, value = terms[term]
        counts[name][value] = many
    counts["vendor"] = _named(Counter(vendor for _, vendor in first if vendor))
    keys = [pk for pk, _ in first]
    return Matches(keys, found.bit_count(), counts, is_counted=asked.is_whole(groups or (), common))


def worst_read(asked: Question, sought: Sought, wanted: int) -> Matches:
    given = [all_of(sought.rare), not sought.rest, all_of(sought.rest), *_kinds(asked)]
    rows = _by_index(_ORDERED, [*given, MOST_READ, wanted]) if sought.rare else []
    return Matches(
        keys=[row[0] for row in rows],
        total=min(len(rows), wanted - 1),
        counts=_counted(rows),
        is_counted=len(rows) < wanted,
    )


def exact(asked: Question) -> list[int]:
    """Tools of exactly this name, shown before all others; having all its words, they match in any case."""
    if not asked.exact:
        return []
    facets = asked.of_facets()
    with connection.cursor() as cursor:
        cursor.execute(_EXACT, [asked.exact, not facets, all_of(facets), *_kinds(asked), MOST_EXACT])
        return [row[0] for row in cursor.fetchall()]


def _kinds(asked: Question) -> list[Any]:
    return [list(asked.classes), list(asked.severities)]


def _counted(rows: Sequence[Any]) -> dict[str, Counter[str]]:
    of_server = Counter(row[1] for row in rows)
    transports, vendors = Counter[str](), Counter[str]()
    for pk, vendor, kinds in _kinds_of(of_server):
        transports.update(dict.fromkeys(kinds, of_server[pk]))
        vendors.update({vendor: of_server[pk]} if vendor else {})
    return {
        "class": Counter(row[2] for row in rows),
        "severity": Counter(str(row[3]) for row in rows),
        "transport": transports,
        "vendor": vendors,
    }


def _named(vendors: Counter[int]) -> Counter[str]:
    """Counts by the name of the vendor, which is read from the server that stands for it."""
    return Counter({name: vendors[pk] for pk, name, _ in _kinds_of(dict(vendors.most_common(50)))})


def _kinds_of(servers: Iterable[int]) -> list[tuple[int, str, list[str]]]:
    # Raw SQL with one array: written out as five hundred parameters it would cost more than the whole search.
    if not (keys := list(servers)):
        return []
    with connection.cursor() as cursor:
        cursor.execute(_KINDS, [keys])
        found: list[tuple[int, str, list[str]]] = cursor.fetchall()
    return found


def largest_servers(words: Sequence[str], common: Mapping[str, int], order: Order, wanted: int) -> list[int]:
    """Keys of the matching servers, those with the most tools first."""
    groups = [begun(word, common) for word in words]
    if all(groups) and (found := order.all_of(groups)) is not None:
        return [pk for pk, _ in order.first(found, wanted)]
    rare, rest = of_words(words, common)
    return [row[0] for row in _by_index(_SERVERS, [all_of([*rare, *rest]), MOST_READ, wanted])]


def anything(words: Sequence[str], common: Mapping[str, int]) -> bool:
    """True if a tool, or a server, has all the words, or words that begin with them."""
    asked = [all_of([part for some in of_words(words, common) for part in some])]
    return any(_by_index(_ANY.format(kind=kind), asked) for kind in _BOTH)


def words_that_begin(beginning: str) -> list[str]:
    """Words of tools and servers that begin so: of the first that are met, if there are many."""
    begun_so = of_words([beginning], {})[0][0]
    given = [begun_so, MOST_READ, beginning]
    return [row[0] for kind in _BOTH for row in _by_index(_BEGUN.format(kind=kind), given)]


def _by_index(statement: str, given: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_BY_INDEX}{statement}{_AGAIN}", given)
        for _ in range(_SETTINGS):
            cursor.nextset()
        rows: list[Any] = cursor.fetchall()
    return rows
