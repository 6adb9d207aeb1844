"""Where a description says in so many words that its tool does worse than its name says. Pure."""

from __future__ import annotations

from typing import Final

from catalog.classifier.clauses import READ as READ_OF_IT
from catalog.classifier.clauses import Sentence, sentences_of
from catalog.classifier.inflected import INFLECTED
from catalog.classifier.said import Said
from catalog.classifier.sentences import ARTICLES, BEHIND_HEADS, lead
from catalog.classifier.things import THINGS
from catalog.classifier.verbs import RANK
from catalog.classifier.vocabulary import DESTRUCTIVE, FINANCIAL, PLAIN, READ, WRITE, ToolClass, word_set

# What a description begins with is set going, whatever the name calls it.
_SETS_GOING: Final = word_set("deploy pause play relaunch rerun restart resume retry run scale stop trigger")
# What a description begins with is kept, whatever is read besides.
_KEEPS: Final = word_set("log post record remember store submit")
_SAYS_WORSE: Final = {
    form: verb
    for form, verb in INFLECTED.items()
    if verb in _SETS_GOING or verb in _KEEPS or PLAIN.get(verb) in (WRITE, DESTRUCTIVE, FINANCIAL)
}
_LONGEST_VERB: Final = 24
# What a gesture sets off belongs to it.
_GESTURES: Final = word_set("click drag fill hover press select swipe tap type")
_MONEY: Final = word_set("escrow funds lamports money payment payments refund sats usdc usdt")
# What names none of them is not read for it.
_NAMES_MONEY: Final = ("ayment", "USD", "usd", "escrow", "unds", "efund", "money", "sats", "lamports")
# What is sent of these is a text.
_ABOUT_MONEY: Final = word_set("""
    amount confirmation data details event events form history info information intent link links method
    methods notification notifications page pages plan policy receipt receipts record records reminder
    reminders reports request requests screen status term terms webhook webhooks
""")
_MOVES: Final = word_set("""
    charge charges deposit deposits disburse disburses escrow pay paying pays refund refunds release releases
    releasing send sending sends spend spends transfer transferring transfers withdraw withdraws
""")
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
    if verb in _KEEPS:
        begins_worse = named is READ
    elif verb in _SETS_GOING:
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


def moves_money(description: str) -> Said | None:
    """“Client settles a job, releasing payment to the agent.”"""
    if not any(map(description[:READ_OF_IT].__contains__, _NAMES_MONEY)):
        return None
    for said in sentences_of(description)[:2]:
        if _MONEY.isdisjoint(said):
            continue
        for place, word in enumerate(said):
            if word not in _MONEY or not _ABOUT_MONEY.isdisjoint(said[place + 1 : place + 2]):
                continue
            moved = next((other for other in said[max(0, place - 3) : place] if other in _MOVES), "")
            if moved:
                return Said((moved, word), FINANCIAL, 0.65, "pay")
    return None


def ends_besides(description: str) -> Said | None:
    """“… Wipes the folder first.”"""
    ended = next((begins for begins in _ENDS_SOMETHING if begins in description), "")
    return Said((ended.strip().lower(),), DESTRUCTIVE, 0.6, "delete") if ended else None
