"""The documents a new policy can start from, made for the tools of one server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.recommend import recommended_policy
from policies.services import STARTING_DOCUMENT
from servers.classing import classification_of
from servers.models import Tool

_RECOMMENDED = "A rule for each class; what may do harm, and what we are not sure of, waits for a person."
_CHANGING = ("Write", "Execute", "Destructive", "Financial")
_APPROVAL = {"action": "require_approval"}


STARTS = (
    ("recommended", "Recommended"),
    ("ask", "Ask before every change"),
    ("read-only", "Read only"),
    ("empty", "Nothing yet"),
)


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
    policy = recommended_policy((tool.name, classification_of(tool)) for tool in tools)
    version = {"version": policy.pop("version"), "description": _RECOMMENDED}
    return json.dumps(version | policy, indent=2, ensure_ascii=False)


def _by_class(rule: dict[str, str]) -> dict[str, object]:
    return {"Read": {}, **dict.fromkeys(_CHANGING, rule)}


def _document(description: str, classes: dict[str, object]) -> str:
    document = {"version": "1", "description": description, "default": "deny", "classes": classes}
    return json.dumps(document, indent=2, ensure_ascii=False)
