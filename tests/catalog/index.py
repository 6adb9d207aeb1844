"""A small index for tests: three of the shipped servers, and one that means no good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from catalog.facts import Provenance, ServerFact, ToolFact
from catalog.importing import shipped
from catalog.ingest import Listed, Report, ingest
from catalog.models import CatalogServer, CatalogTool
from catalog.summary import count_anew
from tests.roles import as_worker

KEPT = ("awslabs-iam-mcp-server", "modelcontextprotocol-server-everything", "mcp-server-time")
HOSTILE = "<img src=x onerror=alert(1)>"
BIDI = "safe\u202eexe.eteled"


def hostile() -> Listed:
    server = ServerFact(
        slug="hostile-server",
        title=f"{HOSTILE} & friends",
        vendor="</script><script>alert(1)</script>",
        repository="evil/evil",
        subfolder="src/<b>",
        package="npm:@evil/evil",
        transports=("stdio",),
        checked="2026-11-01",
    )
    tools = [
        ToolFact(
            *(HOSTILE, "", (("</dl><script>", "string", True),), {}, Provenance.SERVED, "<b>"),
            choices=(("</dl><script>", (HOSTILE, BIDI, *(f"<b>{n}" for n in range(20)))),),
        ),
        ToolFact(
            *(BIDI, "", ((f"{BIDI}_action", "string", True),), {"destructiveHint": True}),
            choices=((f"{BIDI}_action", ("get", "delete", BIDI)),),
        ),
        ToolFact("a/b?c#d%2e", "", (), {}, Provenance.SERVED, ""),
        ToolFact("../../accounts/login", "", (), {}, Provenance.SERVED, ""),
        ToolFact("*", "", (), {}, Provenance.SERVED, ""),
    ]
    return server, tools


def fill(*, with_hostile: bool = True) -> Report:
    """As the worker, who alone may write the index."""
    others = (hostile(),) if with_hostile else ()
    report = Report()
    listed: Iterator[Listed] = (one for one in shipped() if one[0].slug in KEPT)
    with as_worker():
        ingest([*listed, *others], report)
        count_anew()
    return report


@pytest.fixture
def index(db: None) -> Report:
    return fill()


def tool_named(name: str) -> CatalogTool:
    return CatalogTool.objects.select_related("server").get(name=name)


def server_named(slug: str) -> CatalogServer:
    return CatalogServer.objects.get(slug=slug)
