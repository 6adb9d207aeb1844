"""Reads the facts shipped with the project, and lists of one tool per line.

A bad entry of a list is refused alone, with its place and the reason; nothing else is lost because of it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

from catalog.classifier.choices import choices_of_rows
from catalog.facts import (
    MOST_TOOLS,
    FactRefused,
    Provenance,
    ServerFact,
    ToolFact,
    hints_of,
    params_of_rows,
    slug_of,
    tool_name,
)
from catalog.ingest import Listed, Report
from catalog.lines import line_of, lower_line_of
from catalog.listing import LONGEST_LINE

_Called: TypeAlias = tuple[str, str]  # repository and title
# What several servers of one repository are called is the name of the repository, or of the one of them whose
# own name says the same.
_SHARED_TITLES: Final = """
    SELECT repository, title FROM line WHERE repository <> ''
    GROUP BY repository, title HAVING count(DISTINCT server) > 1
"""
SHIPPED: Final = Path(__file__).parent / "facts" / "servers"
_TRANSPORTS: Final = {
    "stdio": "stdio",
    "streamable-http": "streamable-http",
    "sse": "sse",
    "containerized": "stdio",
}


def shipped(folder: Path = SHIPPED) -> Iterator[Listed]:
    for file in sorted(folder.glob("*.json")):
        said = json.loads(file.read_bytes())
        source = f"{said['package']} {said['version']}"
        server = ServerFact(
            slug=file.stem,
            title=said["title"],
            vendor=said["vendor"],
            repository=said["repository"],
            subfolder=said["subfolder"],
            package=said["package"],
            version=said["version"],
            transports=tuple(said["transports"]),
            checked=said["checked"],
        )
        yield server, [_row_tool(row, Provenance.SERVED, source) for row in said["tools"]]


def _row_tool(row: Mapping[str, Any], provenance: Provenance, source: str) -> ToolFact:
    name = row["name"] if "name" in row else row.get("tool")
    return ToolFact(
        name=tool_name(name),
        title=line_of(row.get("title"), 160),
        params=tuple(params_of_rows(row.get("params"))),
        annotations=hints_of(row.get("annotations")),
        provenance=provenance,
        source=source,
        choices=choices_of_rows(row.get("choices")),
    )


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def listed_in(lines: Iterable[bytes], report: Report, after: str = "") -> Iterator[Listed]:
    """One tool per line, in the form of our own lists; the lines of one server need not be together.

    Servers come in the order of their names; those up to `after` are left out. However long the list, only
    one server is held in memory: meanwhile the lines lie sorted in an unnamed file.
    """
    with closing(sqlite3.connect("")) as shelf:
        shelf.execute(
            "CREATE TABLE line (server TEXT, number INTEGER, repository TEXT, title TEXT, said BLOB,"
            " PRIMARY KEY (server, number)) WITHOUT ROWID"
        )
        shelf.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?)", _sorted_out(lines, report))
        shared = set(shelf.execute(_SHARED_TITLES))
        rows = shelf.execute(
            "SELECT server, number, said FROM line WHERE server > ? ORDER BY server, number", [after]
        )
        for name, entries in groupby(rows, key=lambda row: str(row[0])):
            said = ((number, json.loads(line)) for _, number, line in entries)
            yield _of_one_server(name, said, shared, report)


def _sorted_out(lines: Iterable[bytes], report: Report) -> Iterator[tuple[str, int, str, str, bytes]]:
    for number, line in enumerate(lines, 1):
        entry = _read_line(line, number, report)
        if entry is not None:
            yield line_of(entry["server"], 100), number, _repository(entry), _title(entry), line


def _read_line(line: bytes, number: int, report: Report) -> dict[str, Any] | None:
    if not line.strip():
        return None
    if len(line) > LONGEST_LINE:
        report.refuse(f"line {number}", f"longer than {LONGEST_LINE >> 20} MB")
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        report.refuse(f"line {number}", "not well-formed JSON")
        return None
    if not isinstance(entry, dict) or not line_of(entry.get("server"), 100):
        report.refuse(f"line {number}", "names no server")
        return None
    return entry


def _of_one_server(
    name: str, entries: Iterator[tuple[int, dict[str, Any]]], shared: Container[_Called], report: Report
) -> Listed:
    kinds: set[str] = set()
    tools: dict[str, ToolFact] = {}
    first: dict[str, Any] = {}
    for number, entry in entries:
        first = first or entry
        kinds.update(line_of(entry.get("transport"), 60).split(","))
        try:
            tool = _row_tool(entry, _provenance(entry), _source(entry))
        except FactRefused as why:
            report.refuse(f"line {number}", str(why))
            continue
        if len(tools) == MOST_TOOLS and tool.name not in tools:
            report.refuse(f"line {number}", f"more than {MOST_TOOLS} tools of one server")
        elif tools.setdefault(tool.name, tool) is not tool:
            report.refuse(f"line {number}", "a tool listed twice")
    return _server(name, first, kinds, shared), list(tools.values())


def _server(name: str, said: Mapping[str, Any], kinds: set[str], shared: Container[_Called]) -> ServerFact:
    repository, title = _repository(said), _title(said)
    is_its_own = (repository, title) not in shared or slug_of(title) == slug_of(name)
    return ServerFact(
        slug=slug_of(name),
        title=(title if is_its_own else "") or name,
        vendor=line_of(said.get("vendor"), 80),
        repository=repository,
        listed_as=name,
        transports=tuple(sorted({_TRANSPORTS[kind] for kind in kinds if kind in _TRANSPORTS})),
    )


def _title(entry: Mapping[str, Any]) -> str:
    return line_of(entry.get("server_title"), 160)


def _repository(entry: Mapping[str, Any]) -> str:
    return lower_line_of(entry.get("repo"), 200)


def _provenance(entry: Mapping[str, Any]) -> Provenance:
    return Provenance.PARSED if entry.get("extraction") == "source-code" else Provenance.PUBLISHED


def _source(entry: Mapping[str, Any]) -> str:
    commit = line_of(entry.get("source_commit"), 40)[:12]
    where = line_of(entry.get("source"), 120), line_of(entry.get("source_path"), 150)
    return f"{where[0]}{'@' + commit if commit else ''} {where[1]}".strip()
