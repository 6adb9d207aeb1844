"""What a scan makes of a tool's definition: all that the catalogue hears, and both say the same."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.crawling.crawl import read_tools
from catalog.facts import ServerFact, ToolFact
from catalog.importing import shipped
from catalog.ingest import Report, ingest
from catalog.models import CatalogTool
from catalog.rules import classified
from servers.classing import write_class
from servers.models import Tool
from servers.scanning import run_scan
from servers.services import register_server, start_scan
from tests.cast import Cast, inside
from tests.fixtures.servers.listing import listing
from tests.roles import as_worker

DELETES = {"properties": {"action": {"type": "string", "enum": ["get", "delete"]}}}
REFERRED = {
    "properties": {"op": {"$ref": "#/$defs/Op"}, "notes": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "$defs": {"Op": {"type": "string", "enum": ["list", "refund"]}},
    "required": ["op"],
}
LISTED: list[dict[str, Any]] = [
    {"name": "issues", "inputSchema": DELETES},
    {"name": "payments", "inputSchema": REFERRED},
    {"name": "zqx", "title": "Erase every\nwidget"},
    {"name": "zqx_layout", "annotations": {"title": "Draw a layout", "readOnlyHint": "yes"}},
    {"name": "acme_methods"},
    {"name": "questions", "inputSchema": {"properties": {"question": {"type": ["string", "null"]}}}},
    {"name": "wheel", "annotations": {"destructiveHint": True}, "inputSchema": {"properties": []}},
    {"name": "counts", "inputSchema": {"properties": {"limit": {"type": "int"}, "x" * 200: {}}}},
]


@pytest.mark.parametrize(
    ("name", "title", "schema", "tool_class", "rule"),
    [
        ("issues", "", DELETES, "Destructive", "params.choice"),
        ("zqx", "Erase every widget", {}, "Destructive", "title.verb"),
        ("zqx", "", {"properties": "x"}, "Write", "nothing.known"),
        ("acme_methods", "", {}, "Read", "name.answer"),
    ],
)
def test_a_scan_hears_the_title_what_can_be_chosen_and_the_servers_name(
    name: str, title: str, schema: dict[str, Any], tool_class: str, rule: str
) -> None:
    tool = Tool(name=name, title=title, input_schema=schema)
    write_class(tool, (name,), "Acme")
    assert (tool.tool_class, tool.evidence[0]["rule"]) == (tool_class, rule)


def test_the_same_tools_get_the_same_class_from_a_scan_and_from_the_catalogue(cast: Cast) -> None:
    with (
        listing([{"inputSchema": {"type": "object"}, **one} for one in LISTED], "acme") as url,
        inside(cast.alice),
    ):
        server = register_server(cast.alice, "Acme MCP", url)
        scan = run_scan(start_scan(cast.alice, server).pk)
        assert scan.state == "done", scan.message
        scanned = {tool.name: told(tool) for tool in Tool.objects.visible_to(cast.alice)}
    tools, refused = read_tools(LISTED, "npm:acme 1")
    with as_worker():
        ingest([(ServerFact("acme-mcp", "Acme", package="npm:acme"), tools)], Report())
    indexed = {tool.name: told(tool) for tool in CatalogTool.objects.all()}
    assert not refused and scanned == indexed
    assert {tool_class for tool_class, *_ in scanned.values()} == {
        "Read",
        "Write",
        "Destructive",
        "Financial",
    }


def told(tool: Tool | CatalogTool) -> tuple[str, int, float, bool, list[str], list[str]]:
    rules = [one["rule"] if isinstance(one, dict) else one[0] for one in tool.evidence]
    return tool.tool_class, tool.severity, tool.confidence, tool.needs_review, rules, list(tool.signals)


def test_every_shipped_tool_gets_the_same_class_from_a_scan() -> None:
    for server, tools in shipped():
        names = tuple(tool.name for tool in tools)
        for fact, found in classified(tools, server.slug):
            tool = Tool(
                name=fact.name, title=fact.title, input_schema=schema_of(fact), annotations=fact.annotations
            )
            write_class(tool, names, server.slug)
            assert (tool.tool_class, tool.severity) == (found.tool_class, found.severity), fact


def schema_of(fact: ToolFact) -> dict[str, Any]:
    choices = dict(fact.choices)
    properties = {name: {"type": kind.split("|")} for name, kind, _ in fact.params}
    return {
        "properties": {
            name: {**said, "enum": list(choices[name])} if name in choices else said
            for name, said in properties.items()
        },
        "required": [name for name, _, required in fact.params if required],
    }
