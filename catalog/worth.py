"""Says which arguments are worth a rule, and which rule. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from catalog.classifier.choices import chooses
from catalog.classifier.secret import carries_a_secret
from catalog.classifier.vocabulary import ToolClass, word_set
from catalog.classify import Classification, Param, words_of

_BY_WORD: Final = (
    ("sql query cypher statement", "What is written here is run: deny what changes, or gate it"),
    ("command cmd shell script code expression javascript", "What is written here is run: gate it, or "
        "allow a few exactly"),
    ("confirm confirmed confirmation force yes", "A yes the caller gives itself; no person’s approval"),
    ("branch ref", "Not main or release: use “is none of”"),
    ("url uri link endpoint webhook href", "Only hosts you know: use “host is one of”"),
    ("path file filename filepath directory dir folder source destination", "Keep it in one folder: use "
        "“starts with”"),
    ("amount price total cost value quantity", "Set a ceiling for one call and a sum for the day"),
    ("email recipient recipients to cc bcc", "Only your own domain: use “ends with”"),
    ("phone", "Only numbers you know: use “is one of”"),
    ("owner org organization repo repository project workspace account group", "Only what is yours: use "
        "“is one of”"),
    ("limit count size max", "An upper bound: use “at most”"),
    ("region zone env environment stage cluster namespace", "Keep production out: use “is none of”"),
    ("channel", "Only channels made for agents: use “is one of”"),
    ("role", "Only roles you would hand out: use “is one of”"),
    ("policy permission permissions scopes", "Only rights you would hand out: use “is one of”"),
    ("name key user username", "Only names your agents own: use “starts with”"),
    ("id uuid", "Only what is yours: use “is one of”"),
)  # fmt: skip
_RANKED: Final = {word: (rank, hint) for rank, (words, hint) in enumerate(_BY_WORD) for word in words.split()}
_SECRET: Final = "A secret in the call: the agent reads it first"  # noqa: S105
_DEEDS: Final = "Only what your agents are there for: use “is one of”"
_COUNTED: Final = word_set("amount cost count limit max price quantity size total value")
_AGREED: Final = word_set("confirm confirmation confirmed force yes")
# An argument that ends in one of these is of a kind, not the thing itself: `link_type`.
_KINDS: Final = word_set("by format mode status type types")
# Or in what a thing holds: a `policy_document` is not one of many policies, nor `file_content` a path.
_HELD: Final = word_set("content contents data document hash json")
# Or it names one of many: `query_id` is not a query. Of what, these say.
_WHICH: Final = word_set("arn gid id identifier ids iid uid uuid")
_NAMED: Final = word_set("""
    account branch channel cluster environment group id namespace org organization owner permission policy
    project repo repository role uuid workspace
""")
# These are run where they are what is written, and only by a tool that runs things: a search has a `query`.
_RUN: Final = word_set("cmd code command cypher expression javascript query script shell sql statement")
_WRITTEN: Final = word_set("body content line string text statement")
_SURELY_RUN: Final = (*("sql", "cypher"), *("query_string", "query_statement"))
_OF_RUN: Final = frozenset(_RANKED[word] for word in _RUN)
# These say something only as the whole name: `event_source`, `date_to`.
_WHOLE: Final = word_set("destination source to")
# These mean something else beside a time: `time_zone`, and the `time_in_force` of an order.
_NOT_OF_TIME: Final = word_set("force zone")
# And a `ref` is one of code beside these; in a browser it is a part of the page.
_CODE: Final = word_set("branch owner project repo repository")
# A payment has a source as well; what is moved has both.
_FROM_TO: Final = {"source": "destination", "destination": "source"}
TYPES: Final = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no",
    "array": "list", "object": "object", "any": "anything",
}  # fmt: skip


def worth_a_rule(
    param: Param, choices: tuple[str, ...] = (), *, runs: bool = False, beside: Iterable[str] = ()
) -> str:
    """The hint for the word of the name that says most; empty if no word has one.

    `runs`: the tool runs what is given to it; `beside`: the names of all its arguments.
    """
    name, kind, _ = param
    words = words_of(name)
    if choices and chooses(name):
        return _DEEDS
    if not words or words[-1] in _KINDS or kind == "object":
        return ""
    if (carries_a_secret(name) or words == ("token",)) and _fits("token", kind):
        return _SECRET
    said = [_RANKED[word] for word in words if word in _RANKED and _fits(word, kind) and _counts(word, words)]
    if not runs and not any(each in "_".join(words) for each in _SURELY_RUN):
        said = [one for one in said if one not in _OF_RUN]
    if "ref" in words and not any(not _CODE.isdisjoint(words_of(other)) for other in beside):
        said = []
    if name in _FROM_TO and _FROM_TO[name] not in beside:
        said = []
    return min(said)[1] if said else ""


def runs(found: Classification) -> bool:
    """True if what is written in an argument may be run: it starts things, or runs what it is given."""
    if any(signal.startswith("free_form") for signal in found.signals):
        return True
    return found.tool_class is ToolClass.EXECUTE and not found.needs_review


def _counts(word: str, words: tuple[str, ...]) -> bool:
    """True if the word says what the argument holds, and not only what it is about."""
    if words[-1] in _WHICH:
        return word in _NAMED
    if word in _RUN:
        return word == words[-1] or words[-1] in _WRITTEN
    if words[-1] in _HELD:
        return word in _AGREED
    if word in _NOT_OF_TIME and "time" in words:
        return False
    return len(words) == 1 if word in _WHOLE else True


def _fits(word: str, kind: str) -> bool:
    """True if the hint makes sense for the type: a number has no prefix, and a text has no ceiling."""
    kinds = set(kind.split("|"))
    if word in _COUNTED:
        return not kinds.isdisjoint({"any", "integer", "number"})
    if kinds <= {"integer", "number"}:
        return False
    return word in _AGREED if kinds == {"boolean"} else True


def type_words(kind: str) -> str:
    return " or ".join(TYPES.get(one, "anything") for one in kind.split("|"))
