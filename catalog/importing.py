"""What the index is made from: the facts shipped with the project, lists of lines, a registry's pages.

A bad entry is refused by itself, with its place and why; nothing else is lost for it.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from catalog.facts import (
    FactRefused,
    Provenance,
    ServerFact,
    ToolFact,
    hints_of,
    line_of,
    params_of_rows,
    slug_of,
    tool_name,
)
from catalog.ingest import Listed, Report

SHIPPED: Final = Path(__file__).parent / "facts" / "servers"
LONGEST_LINE: Final = 4 << 20
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
    )


def lines_of(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            yield line
            while not line.endswith(b"\n") and (line := file.readline(LONGEST_LINE)):
                pass  # the rest of a line that is refused


def listed_in(lines: Iterable[bytes], report: Report) -> Iterator[Listed]:
    """One tool a line, in the form of our own lists; lines of one server may stand apart."""
    by_server: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        entry = _read_line(line, number, report)
        if entry is not None:
            by_server[entry["server"]].append((number, entry))
    for entries in by_server.values():
        yield _of_one_server(entries, report)


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


def _of_one_server(entries: list[tuple[int, dict[str, Any]]], report: Report) -> Listed:
    first = entries[0][1]
    kinds = {line_of(entry.get("transport"), 60) for _, entry in entries}
    transports = {_TRANSPORTS[kind] for said in kinds for kind in said.split(",") if kind in _TRANSPORTS}
    name = line_of(first["server"], 100)
    server = ServerFact(
        slug=slug_of(name),
        title=line_of(first.get("server_title"), 160) or name,
        vendor=line_of(first.get("vendor"), 80),
        repository=line_of(first.get("repo"), 200).lower(),
        listed_as=name,
        transports=tuple(sorted(transports)),
    )
    tools: dict[str, ToolFact] = {}
    for number, entry in entries:
        try:
            tool = _row_tool(entry, _provenance(entry), _source(entry))
        except FactRefused as why:
            report.refuse(f"line {number}", str(why))
            continue
        if tools.setdefault(tool.name, tool) is not tool:
            report.refuse(f"line {number}", "a tool listed twice")
    return server, list(tools.values())


def _provenance(entry: Mapping[str, Any]) -> Provenance:
    return Provenance.PARSED if entry.get("extraction") == "source-code" else Provenance.PUBLISHED


def _source(entry: Mapping[str, Any]) -> str:
    commit = line_of(entry.get("source_commit"), 40)[:12]
    where = line_of(entry.get("source"), 120), line_of(entry.get("source_path"), 150)
    return f"{where[0]}{'@' + commit if commit else ''} {where[1]}".strip()
