"""Two servers of the index beside each other."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.search import find_servers
from catalog.views._server import advice_for, bar, tools_of
from catalog.views._shared import crumbs, page
from catalog.words import slug_asked

MOST_COMMON = 100
MOST_MEANT = 5
_LABELS = ("First server", "Second server")


@public_page
def compare(request: HttpRequest) -> HttpResponse:
    asked = [slug_asked(request.GET.get(side, "")).strip() for side in ("a", "b")]
    found = [named(text) for text in asked]
    both = [one for one in found if one is not None]
    tools = [tools_of(one) for one in both]
    unknown = [
        (side, text, find_servers(text, MOST_MEANT))
        for side, text, one in zip("ab", asked, found, strict=True)
        if text and one is None
    ]
    context = {
        "sides": [(one, bar(one), advice_for(of)) for one, of in zip(both, tools, strict=True)],
        "common": common_tools(*tools) if len(tools) == 2 else [],
        "boxes": [
            (name, label, called(one) if one else text)
            for name, label, one, text in zip("ab", _LABELS, found, asked, strict=True)
        ],
        "unknown": unknown,
        "suggested": _largest(),
        "title": f"{both[0].title} and {both[1].title}" if len(both) == 2 else "Compare two servers",
        "crumbs": crumbs(("Compare", "")),
    }
    if len(both) != 2:
        context["as_json"] = ""
    return page(request, "catalog/compare.html", context, status=404 if unknown else 200)


def called(server: CatalogServer) -> str:
    """What stands in its box and finds it again: its title, or the slug where others have the same."""
    return server.title if named(server.title) == server else server.slug


def named(typed: str) -> CatalogServer | None:
    """By its slug, which the list beside the box fills in, or by its whole title if no other has it."""
    text = slug_asked(typed).strip()
    if not text:
        return None
    servers = CatalogServer.objects.defer("search")
    if exact := servers.filter(slug=text.lower()).first():
        return exact
    same = [one for one in find_servers(text, MOST_MEANT) if one.title.casefold() == text.casefold()]
    return same[0] if len(same) == 1 else None


def _largest() -> list[CatalogServer]:
    return list(
        CatalogServer.objects.exclude(tool_count=0).defer("search").order_by("-tool_count", "slug")[:40]
    )


def common_tools(
    first: list[CatalogTool], second: list[CatalogTool]
) -> list[tuple[CatalogTool, CatalogTool]]:
    by_key = {tool.name_key: tool for tool in second}
    return [(tool, by_key[tool.name_key]) for tool in first if tool.name_key in by_key][:MOST_COMMON]
