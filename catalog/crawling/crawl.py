"""One package in, facts out: it is installed, started in isolation, asked for its tools, and ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from catalog.crawling.cage import a_cage, end
from catalog.crawling.listing import Listing, ListingFailed, list_tools
from catalog.crawling.packages import Installed, Package, PackageRefused, install, read_package
from catalog.facts import (
    MOST_TOOLS,
    FactRefused,
    Provenance,
    ServerFact,
    ToolFact,
    read_tool,
    slug_of,
)
from catalog.lines import line_of

FACTS: Final = Path(__file__).resolve().parents[1] / "facts"
WANTED: Final = FACTS / "packages.json"
SERVERS: Final = FACTS / "servers"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`environment` holds what a server insists on before it lists its tools: made-up values, no account."""

    package: Package
    title: str = ""
    vendor: str = ""
    repository: str = ""
    subfolder: str = ""
    program: str = ""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Crawled:
    server: ServerFact
    tools: tuple[ToolFact, ...]
    refused: tuple[str, ...]


def wanted_packages() -> list[Wanted]:
    return [_wanted(entry) for entry in json.loads(WANTED.read_text())]


def _wanted(entry: Mapping[str, Any]) -> Wanted:
    return Wanted(
        package=read_package(entry["package"]),
        title=entry.get("title", ""),
        vendor=entry.get("vendor", ""),
        repository=entry.get("repository", ""),
        subfolder=entry.get("subfolder", ""),
        program=entry.get("program", ""),
        arguments=tuple(entry.get("arguments", ())),
        environment=dict(entry.get("environment", {})),
    )


def crawl(wanted: Wanted, today: date | None = None) -> Crawled:
    """Raises PackageRefused or ListingFailed with a sentence; CageRefused if nothing may be run."""
    with a_cage() as cage:
        installed = install(wanted.package, cage, program=wanted.program)
        arguments = [argument.replace("{home}", str(cage.home)) for argument in wanted.arguments]
        environment = {**installed.environment, **wanted.environment}
        process = cage.run([*installed.command, *arguments], environment)
        try:
            listing = list_tools(process)
        finally:
            end(process)
    return _crawled(wanted, installed, listing, today or datetime.now(UTC).date())


def _crawled(wanted: Wanted, installed: Installed, listing: Listing, today: date) -> Crawled:
    source = f"{installed.package} {installed.version}"
    tools, refused = read_tools(listing.tools, source)
    if not tools:
        raise ListingFailed("it lists no tool")
    name = installed.package.name
    server = ServerFact(
        slug=slug_of(name.replace("/", "-")),
        title=wanted.title or line_of(listing.server.get("title"), 80) or _title_of(name),
        vendor=wanted.vendor or line_of(installed.vendor, 60),
        repository=wanted.repository or installed.repository,
        subfolder=wanted.subfolder or line_of(installed.subfolder, 200),
        package=str(installed.package),
        version=line_of(installed.version, 80),
        transports=("stdio",),
        checked=today.isoformat(),
    )
    return Crawled(server, tools, refused)


def read_tools(
    said: Iterable[Mapping[str, Any]], source: str
) -> tuple[tuple[ToolFact, ...], tuple[str, ...]]:
    """The tools, and why others were refused. The first of each name counts: a server cannot mean both."""
    found: dict[str, ToolFact] = {}
    refused: list[str] = []
    for number, entry in enumerate(said):
        if number >= MOST_TOOLS:
            refused.append(f"more than {MOST_TOOLS} tools")
            break
        try:
            tool = read_tool(entry, Provenance.SERVED, source)
        except FactRefused as why:
            refused.append(str(why))
            continue
        if tool.name in found:
            refused.append("a tool listed twice")
        found.setdefault(tool.name, tool)
    return tuple(found[name] for name in sorted(found)), tuple(refused)


def _title_of(name: str) -> str:
    words = (
        name.removeprefix("@").replace("/", " ").replace(".", " ").replace("-", " ").replace("_", " ").split()
    )
    return " ".join(word if word.isupper() else word.capitalize() for word in words)


def write_facts(crawled: Crawled, folder: Path = SERVERS) -> bool:
    """Write the facts if they changed; return whether they did. The date alone is not a change: it moves only
    with what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{crawled.server.slug}.json"
    new = as_json(crawled)
    if file.exists():
        old = json.loads(file.read_text())
        if {**old, "checked": ""} == {**json.loads(new), "checked": ""}:
            return False
    file.write_text(new)
    return True


def as_json(crawled: Crawled) -> str:
    server = crawled.server
    head = {
        "title": server.title,
        "vendor": server.vendor,
        "repository": server.repository,
        "subfolder": server.subfolder,
        "package": server.package,
        "version": server.version,
        "transports": list(server.transports),
        "checked": server.checked,
        "how": "listed by the server itself over stdio, without network or account",
    }
    tools = [_tool_json(tool) for tool in crawled.tools]
    lines = ",\n".join("  " + json.dumps(tool, ensure_ascii=False) for tool in tools)
    start = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{start},\n "tools": [\n{lines}\n ]\n}}\n'


def _tool_json(tool: ToolFact) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": tool.name}
    if tool.title:
        kept["title"] = tool.title
    kept["params"] = [list(param) for param in tool.params]
    if tool.choices:
        kept["choices"] = dict(tool.choices)
    if tool.annotations:
        kept["annotations"] = dict(tool.annotations)
    return kept


__all__ = [
    "Crawled",
    "ListingFailed",
    "PackageRefused",
    "Wanted",
    "crawl",
    "read_tools",
    "wanted_packages",
    "write_facts",
]
