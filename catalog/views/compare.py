"""Two servers of the index, side by side."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from catalog.models import CatalogServer, CatalogTool
from catalog.public import public_page
from catalog.search import find_servers
from catalog.views._server import bar
from catalog.views._shared import crumbs, page
from catalog.whole import tools_of, whole, worst_first
from catalog.words import slug_asked

MOST_COMMON = 100
MOST_MEANT = 5
_LABELS = ("First server", "Second server")
_SHOWN = ("name", "slug", "severity")


@public_page
def compare(request: HttpRequest) -> HttpResponse:
    asked = [slug_asked(request.GET.get(side, "")).strip() for side in ("a", "b")]
    found = [named(text) for text in asked]
    both = [one for one in found if one is not None]
    unknown = [
        (side, text, find_servers(text, MOST_MEANT))
        for side, text, one in zip("ab", asked, found, strict=True)
        if text and one is None
    ]
    context = {
        "sides": [(one, bar(one), whole(one).advice) for one in both],
        "common": common_tools(*both) if len(both) == 2 else [],
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
    """The text in its box, which finds it again: its title, or its slug if others have the same title."""
    return server.title if named(server.title) == server else server.slug


def named(typed: str) -> CatalogServer | None:
    """Find a server by slug, or by its whole title, which suggestions fill in, if no other has the same."""
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


def common_tools(one: CatalogServer, other: CatalogServer) -> list[tuple[CatalogTool, CatalogTool]]:
    """Tools of the same name on both, the first server's worst first, each beside the other's worst."""
    mine, theirs = (list(worst_first(tools_of(each)).values_list("name_key", "pk")) for each in (one, other))
    beside = dict(reversed(theirs))
    pairs = [(pk, beside[key]) for key, pk in mine if key in beside][:MOST_COMMON]
    known = CatalogTool.objects.only(*_SHOWN).in_bulk({pk for pair in pairs for pk in pair})
    found = [(known[first], known[second]) for first, second in pairs if first in known and second in known]
    for tool, _ in found:
        tool.server = one
    return found
