"""What a scan makes of a tool's definition: its title and what its schema lets one choose are heard."""

from __future__ import annotations

from typing import Any

import pytest

from servers.classing import write_class
from servers.models import Tool

DELETES = {"properties": {"action": {"type": "string", "enum": ["get", "delete"]}}}


@pytest.mark.parametrize(
    ("name", "title", "schema", "tool_class", "rule"),
    [
        ("issues", "", DELETES, "Destructive", "params.choice"),
        ("zqx", "Erase every widget", {}, "Destructive", "title.verb"),
        ("zqx", "", {"properties": "x"}, "Write", "nothing.known"),
    ],
)
def test_a_scan_hears_the_title_and_what_can_be_chosen(
    name: str, title: str, schema: dict[str, Any], tool_class: str, rule: str
) -> None:
    tool = Tool(name=name, title=title, input_schema=schema)
    write_class(tool, (name,))
    assert (tool.tool_class, tool.evidence[0]["rule"]) == (tool_class, rule)
