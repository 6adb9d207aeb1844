"""Six questions about a tool, with answers that hold for this product and this tool. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from catalog.advice import Advice
from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification
from catalog.prose import badge_sentence, does
from catalog.recommend import CALLS_A_MINUTE
from policies.language.effects import Effect

_SLIDES: Final = "The window slides, so there is no double burst when the clock turns."


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    answer: str


def questions(
    name: str, server: str, home: str, found: Classification, advice: Advice, reached: str
) -> tuple[Asked, ...]:
    """`home`: repository, subfolder and package of the server, as text; `reached`: what it takes."""
    return (
        Asked(
            f"What does {name} do?",
            f"{does(name, found)} It is a tool of {server}, classed as {found.tool_class}.",
        ),
        Asked(
            f"How do I enforce a policy on {name}?",
            f"Register {server}, publish the recommended policy, or one of your own that allows, limits, "
            "denies or hides the tool or asks a person, and point your client at your gateway URL. The rule "
            f"is applied to every call before it reaches the server. {reached}",
        ),
        Asked(f"What risk level is {name}?", badge_sentence(found)),
        Asked(f"Can I rate-limit {name}?", _rate(found, advice.effect)),
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


def _rate(found: Classification, effect: Effect) -> str:
    if effect is Effect.LIMITED:
        most = CALLS_A_MINUTE[ToolClass(found.tool_class)]
        return f"Yes. The recommended policy allows {most} calls a minute for each grant. {_SLIDES}"
    if effect is Effect.DENIED:
        return "Not by itself: its name is a pattern, so a rule for it would be a rule for other tools, too."
    return (
        'Yes: add "rate_limit": {"max": 10, "window": "minute"} to its rule, and each grant has 10 calls a '
        f"minute. A limit can also be shared by a server or an organization. {_SLIDES}"
    )
