"""The terms of this field, each explained in a sentence or two. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Term:
    word: str
    meaning: str

    @property
    def key(self) -> str:
        return self.word.lower().replace(" ", "-")


_SAID: Final = {
    "Agent": "A program with a model in it that chooses by itself which tools to call.",
    "Approval": "A person’s yes or no to one waiting call. It holds for that call with those "
    "arguments and for nothing else.",
    "Argument rule": "A condition on what a call carries: a path inside a folder, an amount below a "
    "ceiling, a host of a list.",
    "Class": "What a tool can do, in one of five words: Read, Write, Execute, Destructive, Financial. "
    "The worst that applies counts.",
    "Confidence": "How sure the classifier is of a class. It is shown only where it is low; such a "
    "tool needs review and is recommended for approval.",
    "Counter": "Where calls are counted. Limits that name the same counter share it.",
    "Default deny": "What no rule names is denied and not listed. A tool that appears next week stays "
    "closed until someone opens it.",
    "Drift": "The difference between the tools a server lists now and those it listed when its policy "
    "was written.",
    "Evidence": "The words of a tool’s own definition that its class and severity rest on.",
    "Gateway": "What stands between an agent’s client and a server: it judges every call before the "
    "server hears of it.",
    "Grant": "A token for one agent, good for one server under one policy. Revoking it stops that "
    "agent and no other.",
    "Hide": "The tool is not listed and cannot be called: to the agent it does not exist.",
    "Limit": "How many calls, or how large a sum, in any span of a given length.",
    "MCP": "The Model Context Protocol: how a client learns which tools a server has, and calls them.",
    "Modifier": "A named reason that raises a severity above that of the class, such as a credential "
    "or a free-form command.",
    "Needs review": "Neither the name nor the hints say what a tool does. It is never treated as harmless.",
    "Policy": "A document that says what one agent may do on one server.",
    "Prompt injection": "An order hidden in text that an agent reads as part of its work.",
    "Provenance": "Where a fact of the catalogue is from: served by the server itself, published in a "
    "list, or parsed from source.",
    "Scope": "Whose calls count together: those of one grant, of the server, or of the organization.",
    "Server": "A program that offers tools over MCP.",
    "Severity": "How bad one call can get: Low, Medium, High, Critical. It starts from the class and "
    "is moved by modifiers.",
    "Signal": "A trait of a tool that matters for its risk, such as a result that may contain a secret.",
    "Tool": "One thing a server can do when called, with a name and a schema of its arguments.",
    "Tool poisoning": "Orders to the model, hidden in a tool’s own description.",
    "Transport": "How a client talks to a server: stdio for a program on the same machine, streamable "
    "HTTP or SSE over a network.",
    "Window": "The span a limit holds in. It slides: any sixty seconds, not those of the clock’s minute.",
}
TERMS: Final = tuple(Term(word, meaning) for word, meaning in _SAID.items())
