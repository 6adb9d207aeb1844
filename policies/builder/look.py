"""Which part of a policy is shown: it is kept in the URL, so a reload shows the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

from policies.builder.rows import key_of

View: TypeAlias = Literal["builder", "json", "words"]
Show: TypeAlias = Literal["exceptions", "all", "changed", "problems"]

VIEWS: Final[tuple[tuple[View, str], ...]] = (
    ("builder", "Builder"),
    ("json", "JSON"),
    ("words", "Plain words"),
)
SHOWS: Final[tuple[tuple[Show, str], ...]] = (
    ("exceptions", "Exceptions first"),
    ("all", "All"),
    ("changed", "Changed"),
    ("problems", "Problems"),
)
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Look:
    """`opened`: the key of the row whose rule is open. `unfolded`: a class all of whose tools are shown."""

    view: View = "builder"
    show: Show = "exceptions"
    wanted: str = ""
    opened: str = ""
    unfolded: str = ""
    page: int = 1

    @property
    def query(self) -> str:
        said = {
            "view": "" if self.view == "builder" else self.view,
            "show": "" if self.show == "exceptions" else self.show,
            "q": self.wanted,
            "open": self.opened,
            "unfold": self.unfolded,
            "page": str(self.page) if self.page > 1 else "",
        }
        kept = {key: value for key, value in said.items() if value}
        return f"?{urlencode(kept)}" if kept else "?"

    def opening(self, pointer: str) -> Look:
        return replace(self, view="builder", opened=key_of(pointer))

    def closed(self) -> Look:
        return replace(self, opened="")

    def showing(self, show: Show) -> Look:
        return replace(self, show=show, unfolded="", page=1)


def read_look(given: Mapping[str, str]) -> Look:
    """Reads a look from a URL or a form; anything odd becomes the default."""
    view, show = given.get("view", ""), given.get("show", "")
    page = given.get("page", "")
    return Look(
        view=next((key for key, _ in VIEWS if key == view), "builder"),
        show=next((key for key, _ in SHOWS if key == show), "exceptions"),
        wanted=_kept(given.get("q", "")).strip()[:200],
        opened=_kept(given.get("open", "")),
        unfolded=_kept(given.get("unfold", ""))[:40],
        page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
    )


def _kept(text: str) -> str:
    return text.replace("\x00", "")[:_LONGEST]
