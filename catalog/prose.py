"""What a page says about a tool, made from the tool's own facts and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from catalog.classifier.vocabulary import BASE_SEVERITY, PLAIN, Severity, ToolClass, word_set
from catalog.classify import CHOSEN, Classification, Param, words_of

_DOES: Final = {
    ToolClass.READ: "It returns what it finds{thing} and changes nothing.",
    ToolClass.WRITE: "Each call creates or changes something{thing}.",
    ToolClass.EXECUTE: "Each call runs or starts something{thing}. What happens next depends on "
    "the arguments, and may continue after the call has returned.",
    ToolClass.DESTRUCTIVE: "Each call removes something{thing}. It may be gone for good.",
    ToolClass.FINANCIAL: "Each call moves money or creates a debt{thing}.",
}
_ARTICLES: Final = word_set("a an the")
# What these answer was not there before.
_MAKES: Final = word_set("""
    calculate chart compute convert decode encode format generate plot render simulate transcribe translate
    visualize
""")
_ANSWERS: Final = word_set("health history info log logs metrics news schema stats status usage version")
# Where an argument says what a call does.
_CHOSEN: Final = {
    ToolClass.READ: "Whichever value is chosen, it returns data and changes nothing.",
    ToolClass.WRITE: "Some of its values create or change something.",
    ToolClass.EXECUTE: "Some of its values run or start something.",
    ToolClass.DESTRUCTIVE: "Some of its values remove something, which may be gone for good.",
    ToolClass.FINANCIAL: "Some of its values move money or create a debt.",
}
_WHY: Final = {
    ToolClass.READ: "Reading looks harmless until what was read travels on: the result is in the "
    "agent’s context and can go wherever the agent writes next.",
    ToolClass.WRITE: "A change can usually be undone, but not a thousand at once. An agent in a loop "
    "makes them faster than anyone looks.",
    ToolClass.EXECUTE: "What it starts reaches further than the call: builds, messages, jobs, bills. "
    "A few by mistake are a nuisance; hundreds are an outage.",
    ToolClass.DESTRUCTIVE: "There may be no way back. One wrong argument, or one sentence planted in "
    "a document the agent reads, is enough.",
    ToolClass.FINANCIAL: "Money that has moved comes back by asking people, not by calling again. An "
    "agent that repeats a call pays twice.",
}
_SIGNALS: Final = {
    "credentials": "It also changes who may do what, so one call can open the door for many others.",
    "secret_result": "Its result may contain a secret: whatever reads the result then has it too, and "
    "so do the agent’s logs.",
    "outbound_message": "People receive what it sends, in your name; nobody can unsend it.",
    "bulk": "One call affects many things, so one mistake does, too.",
    "production": "It acts where your users are.",
    "money": "It shows who paid what.",
    "free_form_command": "It runs whatever the agent writes, as a command.",
    "free_form_sql": "It runs whatever the agent writes, as a query; a query can delete as well as read.",
    "free_form_code": "It runs whatever the agent writes, as code.",
    "secret_parameter": "A secret travels in its arguments, through the agent.",
}
SIGNAL_TITLES: Final = {
    "credentials": "Changes who may do what",
    "secret_result": "Its result may contain a secret",
    "outbound_message": "Sends to people",
    "bulk": "One call affects many things",
    "production": "Acts on production",
    "money": "Shows money",
    "free_form_command": "Runs a command the agent writes",
    "free_form_sql": "Runs a query the agent writes",
    "free_form_code": "Runs code the agent writes",
    "secret_parameter": "Takes a secret as an argument",
}
_UNKNOWN: Final = "Its definition does not say what it does: it may read, change or remove something."
_UNSURE: Final = (
    "Neither its name nor its hints say clearly what it does. Until someone has looked, "
    "treat it as able to do harm."
)
BECAUSE: Final = {
    "credentials": "changes who may do what",
    "secret_result": "may return a secret",
    "outbound_message": "reaches people",
    "bulk": "affects many things",
    "production": "acts on production",
    "money": "shows who paid what",
    "free_form_command": "runs a command",
    "free_form_sql": "runs a query",
    "free_form_code": "runs code",
    "secret_parameter": "takes a secret",
}
_SHORT: Final = {
    "credentials": "changes access",
    "secret_result": "shows a secret",
    "outbound_message": "reaches people",
    "bulk": "affects many",
    "production": "in production",
    "money": "shows money",
    "free_form_command": "runs a command",
    "free_form_sql": "runs a query",
    "free_form_code": "runs code",
    "secret_parameter": "takes a secret",
}
_SHORT_CLASS: Final = {
    ToolClass.READ: "reads",
    ToolClass.WRITE: "changes data",
    ToolClass.EXECUTE: "starts work",
    ToolClass.DESTRUCTIVE: "may be final",
    ToolClass.FINANCIAL: "moves money",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the definition as it is printed; `mark` is the letter of the reason it is underlined for."""

    text: str
    mark: str = ""


def does(name: str, found: Classification) -> str:
    if found.needs_review:
        return _UNKNOWN
    if found.evidence and found.evidence[0].rule == CHOSEN:
        return f"“{found.evidence[0].words[0]}” decides what a call does. {_CHOSEN[found.tool_class]}"
    if found.tool_class is ToolClass.READ and not _MAKES.isdisjoint(_verb(found)):
        made = _words(name, _verb(found)) or "something"
        return f"It returns {made}, made from what it is given, and changes nothing."
    return _DOES[found.tool_class].format(thing=_thing(name, found))


def _thing(name: str, found: Classification) -> str:
    verb = _verb(found)
    if found.tool_class is not ToolClass.READ:
        rest = _words(name, verb)
        return f": {rest}" if rest else "; its name does not say what"
    # `git_status` and `health_check` are about a status and a health, not only about the rest of the name.
    is_verb = set(verb) <= PLAIN.keys() or (words_of(name)[:1] == verb and _ANSWERS.isdisjoint(verb))
    rest = _words(name, verb if is_verb else ())
    return f" about {rest}" if rest and words_of(name) != verb else ""


def _verb(found: Classification) -> tuple[str, ...]:
    return found.evidence[0].words[:1] if found.evidence[0].field == "name" else ()


def _words(name: str, without: tuple[str, ...]) -> str:
    rest = [word for word in words_of(name) if word not in without and word not in _ARTICLES]
    return f"“{' '.join(rest)}”" if rest else ""


def takes(params: Iterable[Param], *, surely: bool = True) -> str:
    """`surely`: if none is listed, there is none. Lists of others often leave them out."""
    known = list(params)
    if not known and not surely:
        return "The list that names it does not say which arguments it takes."
    if not known:
        return "It takes no arguments, so a rule can only allow, limit, gate or deny it."
    must = [name for name, _, required in known if required]
    count = "1 argument" if len(known) == 1 else f"{len(known)} arguments"
    if not must:
        return f"It takes {count}; none is required."
    return f"It takes {count}; required: {', '.join(must[:6])}{' and more' if len(must) > 6 else ''}."


def why(found: Classification) -> list[str]:
    first = _UNSURE if found.needs_review else _WHY[found.tool_class]
    return [first, *(_SIGNALS[signal] for signal in found.signals if signal in _SIGNALS)]


def raised(found: Classification) -> str:
    """What the severity was raised from, and why; empty if it is the class's own."""
    base = Severity(BASE_SEVERITY[found.tool_class])
    return "" if found.severity == base else f"raised from {base.label}: {', '.join(_reasons(found))}"


def _reasons(found: Classification) -> list[str]:
    rules = (evidence.rule.partition(".") for evidence in found.evidence)
    return [BECAUSE[signal] for kind, _, signal in rules if kind == "severity" and signal in BECAUSE]


def because(found: Classification) -> str:
    """The reason in two or three words, for a table."""
    if found.needs_review:
        return "unclear name"
    return next((_SHORT[s] for s in found.signals if s in _SHORT), _SHORT_CLASS[found.tool_class])


def reached(transports: Collection[str], *, hosted: bool, withdrawn: bool) -> str:
    """What it takes to register a server, beside its name."""
    if withdrawn:
        return "Its publisher withdrew the server: ask them for its address."
    if hosted:
        return "There is nothing to install."
    if "stdio" in transports:
        return "The server is a program: the page where you register it shows how to give it an address."
    if transports:
        return "The server answers over HTTP: whoever runs it can tell you its address."
    return (
        "The catalogue does not know its address; if it is a program, the page where you register it shows "
        "how to give it one."
    )


def badge_sentence(found: Classification) -> str:
    """The risk level in one sentence, which can never differ from the page's badge."""
    base = Severity(BASE_SEVERITY[found.tool_class]).label
    if found.needs_review:
        counted = f"{found.tool_class}, {found.severity.label}, until someone has looked"
        return f"{counted}: its definition does not say clearly what it does."
    start = f"{found.tool_class}, {found.severity.label}. {_article(found.tool_class)} tool starts at {base}"
    if reasons := _reasons(found):
        return f"{start}; this one is rated higher because it {' and '.join(reasons)}."
    if found.severity is Severity.CRITICAL:
        return f"{start}, which is the highest."
    return f"{start}, and nothing in its definition raises it."


def _article(tool_class: ToolClass) -> str:
    return f"An {tool_class}" if tool_class is ToolClass.EXECUTE else f"A {tool_class}"


def pieces(name: str, found: Classification) -> list[Piece]:
    """The name in pieces, marking the words that the class and the severity rest on."""
    marks: dict[str, str] = {}
    for letter, evidence in zip(
        "abc", (e for e in found.evidence if e.field == "name" and e.words), strict=False
    ):
        for word in evidence.words:
            marks.setdefault(word.lower(), letter)
    cut: list[Piece] = []
    rest = name
    for word in words_of(name):
        at = rest.lower().find(word)
        if at < 0 or word not in marks:
            continue
        if at:
            cut.append(Piece(rest[:at]))
        cut.append(Piece(rest[at : at + len(word)], marks[word]))
        rest = rest[at + len(word) :]
    return [*cut, Piece(rest)] if rest else cut
