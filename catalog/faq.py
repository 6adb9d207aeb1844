"""Six questions about a tool, with answers that hold for this product and this tool. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.advice import Advice
from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification
from catalog.prose import badge_sentence, does
from catalog.recommend import CALLS_A_MINUTE, waits_for_a_person


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    answer: str


def questions(name: str, server: str, home: str, found: Classification, advice: Advice) -> tuple[Asked, ...]:
    """`home`: repository, subfolder and package of the server, as text."""
    return (
        Asked(
            f"What does {name} do?",
            f"{does(name, found)} It is a tool of {server}, classed as {found.tool_class}.",
        ),
        Asked(
            f"How do I enforce a policy on {name}?",
            f"Register {server}, publish the policy above and point your client at your gateway URL. The "
            "rule is applied to every call before it reaches the server. There is nothing to install.",
        ),
        Asked(f"What risk level is {name}?", badge_sentence(found)),
        Asked(f"Can I rate-limit {name}?", _rate(found)),
        Asked(
            f"How do I block {name} completely?",
            'Give it the rule {"action": "deny", "reason": "…"} and the agent gets your reason as the '
            "answer to its call. Or name it under hide, and the agent never learns that it exists.",
        ),
        Asked(
            f"Which server provides {name}?",
            f"{server}{f' ({home})' if home else ''}. Other servers of the same repository are listed "
            "separately and are not credited with it.",
        ),
    )


def _rate(found: Classification) -> str:
    sliding = "The window slides, so there is no double burst when the clock turns."
    if waits_for_a_person(found) or found.tool_class is ToolClass.READ:
        how = "add a limit with a counter, a window and a max, for each grant, server or organization"
        return f"Yes: {how}. {sliding}"
    most = CALLS_A_MINUTE[found.tool_class]
    return f"Yes. The policy above allows {most} calls a minute for each grant. {sliding}"
