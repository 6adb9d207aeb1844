"""Says whether a tool runs what the agent writes: a command, a query, code. Pure.

A tool may end, allow or only list what runs, and a `code` is as often that of a country or a product.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Literal, TypeAlias

from catalog.classifier.vocabulary import COMMAND_WORDS, EXECUTE, READ, Params, ToolClass, word_set

Kind: TypeAlias = Literal["command", "sql", "code"]

_SQL_WORDS: Final = word_set("cypher dcl ddl dml sql")
_CODE_WORDS: Final = word_set("code javascript python script")
_NAMED: Final[tuple[tuple[Kind, frozenset[str]], ...]] = (
    ("command", COMMAND_WORDS),
    ("sql", _SQL_WORDS),
    ("code", _CODE_WORDS),
)
_LEADS: Final = COMMAND_WORDS | _SQL_WORDS | _CODE_WORDS | {"evaluate", "query"}
# With these, what is evaluated is code.
_PAGES: Final = word_set("browser chrome devtools page playwright puppeteer")
# These open, end, allow or look after what runs, or run what is there already.
_RUNS_NOTHING: Final = word_set("""
    allowlist approve blacklist block close connect deny disconnect download end ip open stop unblock
    upload uptime whitelist
""")
_SETS_UP: Final = word_set("create new start update")
_SET_UP: Final = word_set("connection connections session sessions")
_SERVICES: Final = frozenset(
    {("sql", "database"), ("sql", "server"), ("sql", "firewall"), ("sql", "elastic")}
)
_PARAMS: Final[dict[str, Kind]] = {
    **dict.fromkeys(word_set("sql sql_query raw_sql statement statements cypher dml ddl"), "sql"),
    **dict.fromkeys(word_set("command cmd shell commands bash command_line args_string"), "command"),
    **dict.fromkeys(
        word_set("code script javascript python expression function_body js source_code"), "code"
    ),
    "query": "sql",
}
_TEXT: Final = frozenset({"string", "any", "", "array"})
# These look at it before it runs anywhere.
_LOOKS: Final = word_set("""
    analyse analyze convert dry estimate explain format generate lint parse prettify review translate validate
""")
# With these, what is stored or sent on as code is run by what receives it.
_RUNS_CODE: Final = word_set("""
    blender browser eval execute function functions hook hooks javascript lambda macro plugin powershell
    python revit run script video worker
""")
# With these, `command` tells an editor or a rule which of its own few things to do.
_CHOSEN: Final = word_set("editor rls security")
# With these, a query is for a database.
_QUERIES: Final = word_set("""
    aql arango athena clickhouse cypher d1 gremlin influxdb mysql neo4j opencypher postgres postgresql raw
    readonly snowflake soql sql sqlite
""")
_QUERY: Final = word_set("query queries")
_ROWS: Final = word_set("data record records row rows table")
_CHANGES_ROWS: Final = word_set("alter create delete drop insert update")
# A search only asks, and so do the query languages of monitoring, which only read.
_ASKS: Final = word_set("""
    ai cancel logql natural nl plan prometheus promql range saved search text
""")


def named(words: tuple[str, ...], *, is_all_we_know: bool) -> tuple[Kind, tuple[str, ...]] | None:
    """What the name of an Execute tool says that it runs; a query only if no arguments are known."""
    if _LEADS.isdisjoint(words) or _runs_nothing(words):
        return None
    if words[-1:] == ("evaluate",) and not _PAGES.isdisjoint(words):
        return "code", ("evaluate",)
    if is_all_we_know and "query" in words and _ASKS.isdisjoint(words):
        return "sql", ("query",)
    if not _SERVICES.isdisjoint(pairwise(words)):
        return None
    for kind, known in _NAMED:
        if hit := tuple(word for word in words if word in known):
            return kind, hit
    return None


def _runs_nothing(words: tuple[str, ...]) -> bool:
    if not _RUNS_NOTHING.isdisjoint(words):
        return True
    return not _SET_UP.isdisjoint(words) and not _SETS_UP.isdisjoint(words)


def passes_on(params: Params) -> tuple[str, ...]:
    """`command` and `parameters` of a tool that hands them to one of its own commands, as no shell does."""
    kinds = {name.lower(): kind for name, kind, _ in params}
    hands_on = kinds.get("command") == "string" and kinds.get("parameters") == "object"
    return ("command", "parameters") if hands_on else ()


def argument(tool_class: ToolClass, words: tuple[str, ...], params: Params) -> tuple[Kind, str] | None:
    for name, kind, _ in params:
        what = _PARAMS.get(name.lower()) if kind in _TEXT else None
        if what is None or (kind == "array" and what != "sql"):
            continue
        if what == "command" and passes_on(params):
            continue
        if _is_run(name.lower(), what, tool_class, words, alone=len(params) == 1):
            return what, name
    return None


def _is_run(name: str, what: Kind, tool_class: ToolClass, words: tuple[str, ...], *, alone: bool) -> bool:
    if name == "query":
        return _asks_a_database(tool_class, words, alone=alone)
    if tool_class is EXECUTE:
        return not _runs_nothing(words)
    if not _LOOKS.isdisjoint(words) or (what == "sql" and "to" in words):
        return False
    if what == "command":
        return tool_class is not READ and _CHOSEN.isdisjoint(words) and not _runs_nothing(words)
    if name in ("code", "expression", "source_code"):
        return not _RUNS_CODE.isdisjoint(words)
    return name not in ("statement", "statements") or not _QUERY.isdisjoint(words) or "sql" in words


def _asks_a_database(tool_class: ToolClass, words: tuple[str, ...], *, alone: bool) -> bool:
    if not _ASKS.isdisjoint(words) or not _LOOKS.isdisjoint(words):
        return False
    if not _QUERIES.isdisjoint(words):
        return True
    if not _QUERY.isdisjoint(words):
        return tool_class is EXECUTE or words[0] == "read"
    return tool_class is not READ and alone and not _ROWS.isdisjoint(words) and words[0] in _CHANGES_ROWS
