"""Where a description says in so many words that its tool does worse than its name says. Pure."""

from __future__ import annotations

from typing import Final

from catalog.clauses import Sentence, sentences_of
from catalog.inflected import INFLECTED
from catalog.sentences import ARTICLES, BEHIND_HEADS, Said, lead
from catalog.things import THINGS
from catalog.verbs import RANK
from catalog.vocabulary import DESTRUCTIVE, FINANCIAL, PLAIN, WRITE, ToolClass, word_set

# What a description begins with is set going, whatever the name calls it.
_SETS_GOING: Final = word_set("deploy pause play relaunch rerun restart resume retry run scale stop trigger")
_SAYS_WORSE: Final = {
    form: verb
    for form, verb in INFLECTED.items()
    if verb in _SETS_GOING or PLAIN.get(verb) in (WRITE, DESTRUCTIVE, FINANCIAL)
}
_LONGEST_VERB: Final = 24
# What a gesture sets off belongs to it.
_GESTURES: Final = word_set("click drag fill hover press select swipe tap type")
# With a capital a sentence begins, wherever it stands.
_ENDS_SOMETHING: Final = (
    "Deletes ", "Destroys ", "Drops ", "Erases ", "Irreversibly ", "Permanently ", "Purges ", "Wipes ",
)  # fmt: skip


def said_worse(description: str, named: ToolClass, by: str) -> Said | None:
    """What it begins with in so many words, where that is worse than what the name says by its verb."""
    word = description[:_LONGEST_VERB].partition(" ")[0].lower()
    verb = _SAYS_WORSE.get(word)
    if not verb:
        return None
    if verb in _SETS_GOING:
        begins_worse = named is WRITE and by not in _GESTURES
    else:
        begins_worse = RANK[PLAIN[verb]] > RANK[named]
    if begins_worse and (led := lead(sentences := sentences_of(description))):
        sure = verb in _SETS_GOING or _is_surely_done(word, sentences[0][1:2])
        if sure and led.words[0] == word and RANK[led.tool_class] > RANK[named]:
            return led
    return None


def _is_surely_done(word: str, behind: Sentence) -> bool:
    """“Assign a score”, “Sends input”; “Updates of a page” and “Edit history” name something."""
    if not ARTICLES.isdisjoint(behind):
        return True
    return word.endswith("s") and word not in THINGS and BEHIND_HEADS.isdisjoint(behind)


def ends_besides(description: str) -> Said | None:
    """“… Wipes the folder first.”"""
    ended = next((begins for begins in _ENDS_SOMETHING if begins in description), "")
    return Said((ended.strip().lower(),), DESTRUCTIVE, 0.6, "delete") if ended else None
