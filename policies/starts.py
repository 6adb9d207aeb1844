"""Where a new policy can begin: a document for the very tools of a server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from policies.services import STARTING_DOCUMENT
from servers.models import Tool

_CHANGING = ("Write", "Execute", "Destructive", "Financial")
_APPROVAL = {"action": "require_approval"}


@dataclass(frozen=True, slots=True)
class Start:
    key: str
    title: str
    summary: str
    document: str


def starts(tools: Iterable[Tool]) -> tuple[Start, ...]:
    return (
        Start(
            key="recommended",
            title="Recommended",
            summary="A rule per class, from what each tool can do. What deletes or moves money, and what we "
            "are not sure of, waits for a person.",
            document=_recommended(tools),
        ),
        Start(
            key="ask",
            title="Ask before every change",
            summary="Reading is free. Anything that changes something waits for a person.",
            document=_document("Reading is free; changes wait for a person.", _by_class(_APPROVAL)),
        ),
        Start(
            key="read-only",
            title="Read only",
            summary="The Read tools. All others are denied with a reason.",
            document=_document(
                "Agents read and change nothing.",
                _by_class({"action": "deny", "reason": "This agent only reads. Ask a person to do this."}),
            ),
        ),
        Start(
            key="empty",
            title="Nothing yet",
            summary="Everything is denied. Open tools one by one.",
            document=STARTING_DOCUMENT,
        ),
    )


def _recommended(tools: Iterable[Tool]) -> str:
    classes: dict[str, object] = {
        "Read": {},
        "Write": {"limits": [_a_minute(30)]},
        "Execute": {"limits": [_a_minute(10)]},
        "Destructive": _APPROVAL,
        "Financial": _APPROVAL,
    }
    unsure = {tool.name: _APPROVAL for tool in tools if tool.needs_review}
    return _document("A rule per class.", classes, unsure)


def _by_class(rule: dict[str, str]) -> dict[str, object]:
    return {"Read": {}, **dict.fromkeys(_CHANGING, rule)}


def _a_minute(most: int) -> dict[str, object]:
    return {"counter": "{tool}_rate", "window": "minute", "max": most, "scope": "grant"}


def _document(
    description: str, classes: dict[str, object], tools: dict[str, dict[str, str]] | None = None
) -> str:
    document = {
        "version": "1",
        "description": description,
        "default": "deny",
        **({"tools": tools} if tools else {}),
        "classes": classes,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
