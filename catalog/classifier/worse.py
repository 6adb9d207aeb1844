"""Finds where a description says in so many words that its tool does worse than its name says. Pure."""

from __future__ import annotations

from typing import Final

from catalog.classifier.clauses import Sentence, sentences_of
from catalog.classifier.inflected import INFLECTED
from catalog.classifier.rare import RARE
from catalog.classifier.said import Said
from catalog.classifier.sentences import ARTICLES, BEHIND_HEADS, RARE_FORMS, lead
from catalog.classifier.things import THINGS
from catalog.classifier.verbs import EMPTIES, RANK
from catalog.classifier.vocabulary import (
    DESTRUCTIVE,
    FINANCIAL,
    LOOSE,
    PLAIN,
    READ,
    REMOVAL,
    WRITE,
    ToolClass,
    word_set,
)

# A description that begins with one of these sets something going, whatever the name says.
_SETS_GOING: Final = word_set(
    "deploy launch pause play redeploy relaunch rerun restart resume retry run scale start stop trigger"
)
# A description that begins with one of these keeps something, whatever else it reads.
_KEEPS: Final = word_set("log post record remember store submit")
# A description that begins with one of these moves money if that is the object: “Close every open position”.
_PUTS_MONEY_IN: Final = word_set("book close enter exit open place release")
_SAYS_WORSE: Final = {
    **{form: verb for form, verb in RARE_FORMS.items() if RARE[verb] is FINANCIAL},
    **{
        form: verb
        for form, verb in INFLECTED.items()
        if verb in _SETS_GOING
        or verb in _KEEPS
        or verb in _PUTS_MONEY_IN
        or PLAIN.get(verb) in (WRITE, DESTRUCTIVE, FINANCIAL)
        or LOOSE.get(verb) is FINANCIAL
    },
}
# Hardly ever anything but a verb: “Delete keys”.
_SURE: Final = word_set("delete destroy erase expunge obliterate revoke truncate uninstall")
# What one of these does is told by the name: `remove_user_from_team`, `flush_cache`.
_IN_COMPANY: Final = REMOVAL | EMPTIES
_LONGEST_VERB: Final = 24
# What a gesture sets off is part of it, and a query is run to read.
_RUN_BY_ITSELF: Final = word_set("click drag fill hover press query select swipe tap type")


def said_worse(description: str, named: ToolClass, by: str) -> Said | None:
    """What the description begins with, if that is worse than what the name says with the verb `by`."""
    word = description[:_LONGEST_VERB].partition(" ")[0].lower()
    verb = _SAYS_WORSE.get(word)
    if not verb or (verb == by and verb in _IN_COMPANY):
        return None
    if verb in _KEEPS:
        begins_worse = named is READ
    elif verb not in PLAIN and verb not in _SETS_GOING:
        begins_worse = RANK[named] < RANK[FINANCIAL]
    elif verb in _SETS_GOING:
        begins_worse = (named is WRITE or by not in PLAIN) and by not in _RUN_BY_ITSELF
    else:
        begins_worse = RANK[PLAIN[verb]] > RANK[named]
    if begins_worse and (led := lead(sentences := sentences_of(description))):
        sure = verb in _SETS_GOING or word in _SURE or _is_surely_done(word, sentences[0][1:2])
        is_paid = verb in PLAIN or verb in _SETS_GOING or verb in _KEEPS or led.tool_class is FINANCIAL
        if sure and is_paid and led.words[0] == word and RANK[led.tool_class] > RANK[named]:
            return led
    return None


def _is_surely_done(word: str, behind: Sentence) -> bool:
    """True for “Assign a score”, “Sends input”; “Updates of a page” and “Edit history” name something."""
    if not ARTICLES.isdisjoint(behind):
        return True
    return word.endswith("s") and word not in THINGS and BEHIND_HEADS.isdisjoint(behind)
