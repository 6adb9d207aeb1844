"""What a visitor brings from a public page: a server of the index, perhaps one tool, and its policy."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.advice import as_text, policy_for_tool
from catalog.models import CatalogServer, CatalogTool
from catalog.rules import classification_of
from catalog.whole import tools_of, whole
from catalog.words import slug_asked


@dataclass(frozen=True, slots=True)
class Arrival:
    key: str  # `<server>` or `<server>/<tool>`, as the address carries it
    server: CatalogServer
    tool: CatalogTool | None
    policy: str

    @property
    def subject(self) -> str:
        return self.tool.name if self.tool else self.server.title


def arrival(key: str) -> Arrival | None:
    """What the key stands for; None if it names nothing in the index, so that it holds nobody up."""
    server_slug, _, tool_slug = slug_asked(key).partition("/")
    server = CatalogServer.objects.filter(slug=server_slug).defer("search").first()
    if server is None:
        return None
    if not tool_slug:
        return Arrival(key, server, None, whole(server).advice.text)
    tool = tools_of(server).filter(slug=tool_slug).defer("search").first()
    if tool is None:
        return None
    return Arrival(key, server, tool, as_text(policy_for_tool(tool.name, classification_of(tool))))
