"""What the editor's page and its fragments show: one text, its state, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.middleware import MemberRequest
from accounts.permissions import May, may
from policies.beside import beside
from policies.builder.look import SHOWS, VIEWS, Look, read_look
from policies.builder.page import BuilderPage, page_of
from policies.builder.plain_words import words_of
from policies.builder.rows import key_of, row_pointer
from policies.builder.trial import fresh_trial, more_arguments
from policies.kept_tests import kept_tests
from policies.language.reference_codes import TEXT_PROBLEMS
from policies.mends import mend_of
from policies.models import Policy
from policies.outlook import Outlook, outlook, tools_of
from policies.starts import STARTS
from policies.views._shared import refusal
from policies.views.others import position_of
from servers.models import Tool

FEWEST_PASSING = 3
MOST_OFFERED = 500
MOST_TOLD = 50
MOST_GRANTS = 100


@dataclass(frozen=True)
class Editing:
    """One policy as one request sees it. `text`: the person's text, whether it is stored or not."""

    request: MemberRequest
    policy: Policy
    text: str
    look: Look
    tools: list[Tool]
    outlook: Outlook
    extra: dict[str, Any] = field(default_factory=dict)

    def draft(self) -> dict[str, Any]:
        return {**draft_context(self.policy), **self.extra}

    def context(self) -> dict[str, Any]:
        """Returns the context for every fragment of the page."""
        return {
            **self.draft(),
            "text": self.text,
            "grants": self.policy.grants.good().count(),
            "outlook": self.outlook,
            "tests": self._tests(),
            **self._told(),
            "scan": None if self.tools else self.policy.server.scans.order_by("-started_at").first(),
            "reads": reads_as(self.outlook),
            "look": self.look,
            "may_edit": may(self.request.member, May.EDIT_POLICIES),
            **self._of_view(),
        }

    def _told(self) -> dict[str, Any]:
        """Returns each problem with its row and its mend."""
        everything = self.outlook.problems or self.outlook.told
        rows = [(each, row_pointer(each.pointer)) for each in everything[:MOST_TOLD]]
        failing = dict(zip(map(id, self.outlook.failed), self.outlook.failing, strict=True))
        told = [
            {
                "problem": each,
                "result": failing.get(id(each)),
                "key": key_of(each.pointer),
                "query": self.look.opening(row).query if row and row != "/default" else "",
                "mend": mend_of(self.text, each, self.tools),
            }
            for each, row in rows
        ]
        return {"told": told, "told_more": max(0, len(everything) - MOST_TOLD)}

    def _of_view(self) -> dict[str, Any]:
        match self.look.view:
            case "builder":
                return {**self._board(), **self._trial()}
            case "words":
                return {"words": words_of(self.outlook, self.tools), **self._trial()}
            case _:
                return self._trial()

    def _trial(self) -> dict[str, Any]:
        trial = self.extra.get("tried") or fresh_trial(self.look, self.tools)
        return {
            "trial": trial,
            "trial_tools": self._tool_names(),
            "trial_grants": list(self.policy.grants.good().order_by("label")[:MOST_GRANTS]),
            "more": more_arguments(trial, self.tools),
        }

    def _tool_names(self) -> list[str]:
        """Returns the names to choose from. Unprintable ones are left out: nothing could mark them there."""
        return [tool.name for tool in self.tools if tool.name.isprintable()][:MOST_OFFERED]

    def _board(self) -> dict[str, Any]:
        live = self.policy.published_revision
        page = page_of(self.text, self.outlook, live, self.tools, self.look)
        locked = page is None
        if page is None:
            page = self._last_readable()
        return {"page": page, "locked": locked, "chips": _chips(self.look, page), "starts": STARTS}

    def _last_readable(self) -> BuilderPage | None:
        live = self.policy.published_revision
        kept = self.policy.last_readable or (live.text if live else "")
        seen = outlook(self.policy.server, kept, live, self.tools) if kept else None
        return page_of(kept, seen, live, self.tools, self.look.closed()) if seen else None

    def _tests(self) -> dict[str, Any]:
        results = self.outlook.tests
        passing = [result for result in results if result.passed]
        kept = len(results) if results else len(kept_tests(self.policy))
        return {
            "kept": kept,
            "failing": self.outlook.failing,
            "passing": passing[:FEWEST_PASSING],
            "more": passing[FEWEST_PASSING:],
        }


def reads_as(seen: Outlook) -> str:
    """Returns the sentence above the text: whether it can be read, and where the first problem is."""
    if seen.problems and seen.problems[0].code in TEXT_PROBLEMS:
        return f"Not JSON yet: line {seen.problems[0].line}."
    wrong = seen.errors or seen.warnings
    if not wrong:
        return "Reads as JSON. No problems."
    many = len(wrong) > 1
    what = f"problem{'s' if many else ''}" if seen.errors else "to know"
    line = min((each.line for each in wrong if each.line), default=0)
    where = f", {'the first on ' if many else ''}line {line}" if line else ""
    return f"Reads as JSON. {len(wrong)} {what}{where}."


def look_at(
    request: MemberRequest,
    policy: Policy,
    text: str | None = None,
    *,
    look: Look | None = None,
    tools: list[Tool] | None = None,
    **extra: Any,
) -> Editing:
    """Judges the policy's draft, or `text`. A caller that already has the `tools` can save the query."""
    shown = policy.draft if text is None else text
    tools = tools_of(policy.server) if tools is None else tools
    seen = outlook(policy.server, shown, policy.published_revision, tools, beside(policy))
    return Editing(request, policy, shown, look or asked_look(request), tools, seen, extra)


def asked_look(request: HttpRequest) -> Look:
    return read_look((request.POST if request.method == "POST" else request.GET).dict())


def editor_page(editing: Editing, status: int = 200) -> HttpResponse:
    context = {
        **editing.context(),
        "views": _views(editing),
        "refusal": refusal(editing.request, May.EDIT_POLICIES),
        "position": position_of(editing.policy),
        "crumbs": crumbs(editing.policy),
        "section": "policies",
    }
    return render(editing.request, "policies/editor.html", context, status=status)


def editor_path(policy: Policy, look: Look) -> str:
    return reverse("policies:editor", args=[policy.public_id]) + look.query.removesuffix("?")


def draft_context(policy: Policy) -> dict[str, Any]:
    live = policy.published_revision
    return {
        "policy": policy,
        "live": live,
        "differs": live is None or live.text != policy.draft,
        "kept": policy.version,
    }


def crumbs(policy: Policy, *more: str) -> list[tuple[str, str]]:
    here = reverse("policies:editor", args=[policy.public_id]) if more else ""
    return [
        ("Servers", reverse("servers:list")),
        (policy.server.name, reverse("servers:detail", args=[policy.server.public_id])),
        ("Policies", reverse("policies:list")),
        (policy.name, here),
        *((title, "") for title in more),
    ]


def _views(editing: Editing) -> list[dict[str, Any]]:
    return [
        {"key": key, "label": label, "current": editing.look.view == key, "query": Look(view=key).query}
        for key, label in VIEWS
    ]


def _chips(look: Look, page: BuilderPage | None) -> list[dict[str, Any]]:
    board = page.board if page else None
    counts = {
        "all": board.tools if board else 0,
        "changed": board.changed if board else 0,
        "problems": board.with_problems if board else 0,
    }
    return [
        {"label": label, "on": look.show == key, "count": counts.get(key), "query": look.showing(key).query}
        for key, label in SHOWS
    ]
