"""Says which arguments are worth a rule, and which rule. Pure."""

from __future__ import annotations

from typing import Final

from catalog.classifier.choices import chooses
from catalog.classifier.vocabulary import word_set
from catalog.classify import Param, words_of

_BY_WORD: Final = (
    ("password passwd secret token apikey credential passphrase", "A secret in the call: the agent "
        "reads it first"),
    ("sql query cypher statement", "What is written here is run: deny what changes, or gate it"),
    ("command cmd shell script code expression javascript", "What is written here is run: gate it, or "
        "allow a few exactly"),
    ("confirm confirmed confirmation force yes", "A yes the caller gives itself; no person’s approval"),
    ("url uri link endpoint webhook href", "Only hosts you know: use “host is one of”"),
    ("path file filename filepath directory dir folder source destination", "Keep it in one folder: use "
        "“starts with”"),
    ("amount price total cost value quantity", "Set a ceiling for one call and a sum for the day"),
    ("branch ref", "Not main or release: use “is none of”"),
    ("email recipient recipients to cc bcc phone", "Only your own domain: use “ends with”"),
    ("owner org organization repo repository project workspace account", "Only what is yours: use “is "
        "one of”"),
    ("limit count size max", "An upper bound: use “at most”"),
    ("region zone env environment stage cluster namespace", "Keep production out: use “is none of”"),
    ("channel group", "Only channels made for agents: use “is one of”"),
    ("role policy permission permissions scope scopes", "Only roles you would hand out: use “is one of”"),
    ("name id key user username", "Only names your agents own: use “starts with”"),
)  # fmt: skip
_HINTS: Final = {word: hint for words, hint in reversed(_BY_WORD) for word in words.split()}
_COUNTED: Final = word_set("amount cost count limit max price quantity size total value")
_AGREED: Final = word_set("confirm confirmation confirmed force yes")
_DEEDS: Final = "Only what your agents are there for: use “is one of”"
TYPES: Final = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no",
    "array": "list", "object": "object", "any": "anything",
}  # fmt: skip


def worth_a_rule(param: Param, choices: tuple[str, ...] = ()) -> str:
    """The hint for the word of the name that says most; empty if no word has one."""
    if choices and chooses(param[0]):
        return _DEEDS
    words = words_of(param[0])
    order = list(_HINTS)
    found = [order.index(word) for word in words if word in _HINTS and _fits(word, param[1])]
    return _HINTS[order[max(found)]] if found else ""


def _fits(word: str, kind: str) -> bool:
    """True if the hint makes sense for the type: a number has no prefix, and a yes-or-no has no ceiling."""
    kinds = set(kind.split("|"))
    if kinds <= {"integer", "number"}:
        return word in _COUNTED
    return word in _AGREED if kinds == {"boolean"} else True


def type_words(kind: str) -> str:
    return " or ".join(TYPES.get(one, "anything") for one in kind.split("|"))
