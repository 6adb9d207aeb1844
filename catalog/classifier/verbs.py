"""Finds the word of a name that says what the tool does, and what it means beside the others. Pure."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Final

from catalog.classifier.company import (
    BESIDE,
    FOR_GOOD,
    JOB_WORDS,
    LOST_FOR_GOOD,
    RESET_WHOLE,
    STORED_ON,
)
from catalog.classifier.phrases import PHRASES, VERBS_OF_PHRASES, follows_a_quality, phrase_of, without_things
from catalog.classifier.rare import RARE
from catalog.classifier.things import THINGS
from catalog.classifier.vocabulary import (
    ANSWERS_MADE,
    AREA_VERBS,
    AREAS,
    COMMAND_WORDS,
    DESTRUCTIVE,
    EVALUATED,
    EXECUTE,
    FINANCIAL,
    GLUED,
    GLUED_LAST,
    JOINS,
    LOOKED_AT,
    LOOKERS,
    LOOKS,
    LOOSE,
    MAKES,
    MANAGES,
    NOT_GLUED,
    NOT_MONEY,
    NOUN_TOO,
    OF_WHAT,
    ONLY_ASKED,
    ONLY_IN_FRONT,
    ONLY_TELLS,
    PLAIN,
    PRODUCTS,
    READ,
    READ_ONLY,
    SESSIONS,
    SQL_THAT_DESTROYS,
    SWITCHES,
    TOLD_LAST,
    WORST_LAST,
    WRITE,
    ToolClass,
)

# A word of at least this length may be two words written as one.
_TWO_WORDS: Final = 7
RANK: Final = {tool_class: rank for rank, tool_class in enumerate(WORST_LAST)}


_IN_PRODUCTS: Final = frozenset(first for first, _ in PRODUCTS)


def without_products(words: tuple[str, ...]) -> tuple[str, ...]:
    if _IN_PRODUCTS.isdisjoint(words):
        return words
    at = next((place for place, pair in enumerate(pairwise(words)) if pair in PRODUCTS), None)
    return words if at is None else words[:at] + words[at + 2 :] or words


def verb_of(words: tuple[str, ...]) -> tuple[str, bool] | None:
    """The word that says what the tool does, and whether it is a plain verb."""
    words = without_things(without_products(words))
    if "wait" in words[:2] and JOINS.isdisjoint(words):
        # What it waits for is done by someone else.
        return "wait", True
    if phrase := phrase_of(words):
        return phrase[0], True
    plain = _plain(words)
    if plain and plain[0] in AREAS and words[-1] in AREA_VERBS:
        return words[-1], words[-1] in PLAIN
    if len(plain) > 1 and words[-1] == "preview" and plain[0] not in (words[0], "send"):
        # `ad_pause_preview`: shown, and not done.
        return "preview", True
    if len(plain) > 1 and words[-1] in _SET_GOING and words[-2] in _GOES_ON:
        return words[-1], True
    if plain and words[-1] == "get" and "send" not in words and JOINS.isdisjoint(words):
        # `block_raw_get`: a get is not what something is done to.
        return "get", True
    if plain and (words[0] == "mark" or (plain[0] == "read" and "mark" in words)):
        return "mark", False
    if (verb := _manages(words)) and all(PLAIN[word] is READ for word in plain):
        return verb, False
    if plain:
        if len(plain) > 1 and not JOINS.isdisjoint(words):
            return max(_joined(words, plain), key=lambda word: RANK[PLAIN[word]]), True
        return plain[0], True
    return _loose(words) or _glued(words)


# `research_start`: what otherwise reads goes on in the background.
_SET_GOING: Final = frozenset({"restart", "start"})
_GOES_ON: Final = frozenset(verb for verb, meant in PLAIN.items() if meant is READ) - {
    "get",
    "list",
}


def _joined(words: tuple[str, ...], plain: list[str]) -> list[str]:
    """Both verbs of `create_or_update`; in `get_card_by_set_and_number` things are joined, nothing is set."""
    before = words[: words.index("by")] if "by" in words else words
    return [word for word in plain if word in before] or plain


def _leads(word: str) -> bool:
    """True for `check_email`, `trash_email`: the mail is what it is done to. To test one is to send it."""
    return word in LOOKS or (word in LOOSE and LOOSE[word] is not READ)


# After the name of the product, these are what is worked on.
_KINDS_OF_THINGS: Final = frozenset({"archive", "block", "email", "poll", "release"})
# Making something for one of these does not carry it out.
_MADE_FOR: Final = frozenset({"email", "payout", "purchase", "refund", "reply"})


def _plain(words: tuple[str, ...]) -> list[str]:
    plain = [word for word in words if word in PLAIN]
    if not plain or len(words) == 1:
        return plain
    if plain == [words[-1]] and words[-1] in LOOKED_AT and _leads(words[0]):
        return []
    if words[0] in LOOKS and LOOKED_AT.issuperset(plain) and JOINS.isdisjoint(words):
        # `check_launch_task`
        return []
    if plain == [words[0]] and words[0] in LOOKED_AT and words[-1] in LOOKERS:
        # `grant_evaluator`
        return []
    if len(plain) > 1 and plain[0] in _KINDS_OF_THINGS and plain[0] != words[0] and JOINS.isdisjoint(words):
        # `siyuan_block_delete_block`: to a block.
        del plain[0]
    if plain == ["forward"] and "go" in words:
        return []
    if len(plain) == 1 and plain[0] in _MADE_FOR and words[0] in MAKES and JOINS.isdisjoint(words):
        # `generate_payout_snippet`: nothing is paid.
        return [] if words[-1] in ANSWERS_MADE or plain[0] == "reply" else plain
    if "resume" in plain and any(word in LOOSE for word in words[: words.index("resume")]):
        # A résumé, as sent with an application: `generate_resume`.
        plain.remove("resume")
    return plain


def _manages(words: tuple[str, ...]) -> str | None:
    """The verb, in front or after the name of the product."""
    if MANAGES.isdisjoint(words):
        return None
    return next((word for word in words[:2] if word in MANAGES), None)


# At the end of a name these say that something is ended, whatever of.
ENDS_NAMED: Final = frozenset({"deletion", "erasure", "removal"})
_OF_MANY: Final = frozenset({"bulk", "record"})


def _loose(words: tuple[str, ...]) -> tuple[str, bool] | None:
    for word, beside in SWITCHES.items():
        if word in words and not beside.isdisjoint(words):
            return word, True
    loose = [
        word
        for place, word in enumerate(words)
        if word in LOOSE
        and not (place and words[place - 1] == "by")
        and not (place and word in ONLY_IN_FRONT)
        and not (word in NOUN_TOO and follows_a_quality(words, place))
    ]
    if not loose:
        return None
    if "check" in loose and loose[0] != words[0]:
        return "check", False
    last = words[-1]
    if last in ENDS_NAMED and set(loose) <= _OF_MANY:
        # `bulk_removal`, `record_deletion`
        return None
    if words[0] in loose and "and" in words[1:-1] and last not in TOLD_LAST:
        behind = words[words.index("and") + 1]
        done = [word for word in (words[0], behind) if word in LOOSE]
        return max(done, key=lambda word: RANK[in_context(word, words)]), False
    if "run" in loose and loose[-1] in ("query", "test") and words[words.index("run") + 1] == loose[-1]:
        return "run", False
    if loose[0] in SESSIONS and (LOOSE.get(last) is READ or last in ONLY_TELLS):
        # `terminal_wait`
        return last, False
    told = last in TOLD_LAST and loose[0] in NOUN_TOO
    if told and last not in LOOSE:
        return None
    if last == loose[-1] and (told or words[0] != loose[0]):
        return last, False
    return loose[0], False


def _glued(words: tuple[str, ...]) -> tuple[str, bool] | None:
    for word in words:
        for verb in GLUED:
            if word.startswith(verb) and word[len(verb) :] not in NOT_GLUED:
                return verb, True
        if len(word) >= _TWO_WORDS and (verb_there := _in_front(word) or _at_the_end(word)):
            return verb_there
    return None


def _in_front(word: str) -> tuple[str, bool] | None:
    """`resolveaddress`: a verb and its object, written as one word."""
    for cut in range(4, len(word) - 2):
        verb, thing = word[:cut], word[cut:]
        if verb in PLAIN and verb != "view" and (thing in THINGS or f"{thing}s" in THINGS):
            return verb, True
    return None


def _at_the_end(word: str) -> tuple[str, bool] | None:
    if (verb := next((end for end in GLUED_LAST if word.endswith(end)), None)) is None:
        return None
    return (verb, False) if verb in LOOSE or verb in PLAIN else None


# What is loaded there changes it.
_TO_SOMEWHERE: Final = frozenset({"into", "to"})
# Converting to one of these writes a file.
_WRITTEN_TO: Final = frozenset({"docx", "epub", "pdf", "pptx", "xlsx"})
_TIME_LOGGED: Final = frozenset({("log", "hours"), ("log", "time"), ("log", "work")})
# A model answers with these.
_ANSWERED: Final = frozenset({"completion", "completions"})
# The key for a shell is stored; the shell is not used.
_KEYS: Final = frozenset({"key", "keys"})


def in_context(verb: str, words: tuple[str, ...]) -> ToolClass:
    """The class of a verb from `verb_of`, beside the other words of the name."""
    if verb in VERBS_OF_PHRASES and (phrase := phrase_of(words)) and phrase[0] == verb:
        return PHRASES[phrase]
    if verb in ONLY_TELLS and verb == words[-1] and words[0] in SESSIONS:
        return READ
    tool_class = _alone(verb)
    if verb == "execute" and {"query", "range"} <= set(words):
        # Of figures over a stretch of time.
        return READ
    if verb == "load" and not _TO_SOMEWHERE.isdisjoint(words):
        return WRITE
    if verb in MAKES:
        words = _made(words)
    if verb == "create" and _made(words)[-1] in _ANSWERED:
        return READ
    if _loses_it(verb, words):
        return DESTRUCTIVE
    if _empties_a_cache(verb, words):
        return WRITE
    for beside, meant in BESIDE.get(verb, ()):
        if not beside.isdisjoint(words) and not (beside is JOB_WORDS and _is_of_a_job(words)):
            return meant
    if verb == "convert" and "to" in words and not _WRITTEN_TO.isdisjoint(words[words.index("to") :][:3]):
        return WRITE
    if verb == "log" and (words[-1] == "progress" or any(pair in _TIME_LOGGED for pair in pairwise(words))):
        return WRITE
    if verb == "log" and words[0] == "log" and len(words) > 1 and not _is_of_logs(words[-1]):
        return WRITE
    if verb == "evaluate" and words[-1] != verb and EVALUATED.isdisjoint(words):
        # Code is run; a need, a risk or an answer is weighed.
        return READ
    if verb == "test" and words[-1] == "test" and len(words) <= 2:
        return EXECUTE
    if tool_class is FINANCIAL and verb in LOOSE and not NOT_MONEY.isdisjoint(words):
        return WRITE
    if tool_class is FINANCIAL and not ONLY_ASKED.isdisjoint(words):
        return READ
    if tool_class is WRITE and not COMMAND_WORDS.isdisjoint(words) and words[-1] not in _KEYS:
        return EXECUTE
    return _what_runs(verb, words) if tool_class is EXECUTE else tool_class


# What is emptied of these comes back by itself.
EMPTIES: Final = frozenset({"clear", "flush", "invalidate", "purge"})
_FILLED_AGAIN: Final = frozenset({"cache", "caches"})


def _empties_a_cache(verb: str, words: tuple[str, ...]) -> bool:
    if verb not in EMPTIES or _FILLED_AGAIN.isdisjoint(words):
        return False
    if "of" in words:
        words = words[: words.index("of")]
    return words[-1] in _FILLED_AGAIN or words[-1] == verb


def empties_itself(verb: str, words: tuple[str, ...], server: str) -> bool:
    """True where the server is a cache, so that what is in it is what people keep there."""
    return "cache" in server.lower() and _empties_a_cache(verb, words)


def _loses_it(verb: str, words: tuple[str, ...]) -> bool:
    if verb == "reset":
        return words[-1] in RESET_WHOLE
    if verb == "remove" and "from" in words and words[-1] in STORED_ON:
        return True
    return verb in LOST_FOR_GOOD and not FOR_GOOD.isdisjoint(words)


def _made(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without what it is made from: `generate_movie_from_text`; a title for a video is a text."""
    end = next((place for place, word in enumerate(words) if place > 1 and word in OF_WHAT), len(words))
    return words[end - 1 : end] if words[end - 1] in ANSWERS_MADE else words[:end]


# These are only drawn up for a job.
_OF_JOBS: Final = frozenset({
    "alert", "cache", "comment", "config", "definition", "group", "note", "plan", "policy", "report",
    "schedule", "summary", "tag", "template", "variable",
})  # fmt: skip


def _is_of_a_job(words: tuple[str, ...]) -> bool:
    """True for `create_job_template`, “Create an execution plan”: no job is begun."""
    return any(word in JOB_WORDS and behind in _OF_JOBS for word, behind in pairwise(words))


def _alone(verb: str) -> ToolClass:
    if verb in SWITCHES:
        return EXECUTE
    return PLAIN.get(verb) or LOOSE.get(verb) or RARE.get(verb, WRITE)


@lru_cache(maxsize=1024)
def _by_itself(verb: str) -> ToolClass:
    return in_context(verb, (verb,))


def beside(verb: str, words: tuple[str, ...], tool_class: ToolClass) -> tuple[str, ...]:
    """The word without which the verb would mean something else; empty if it means what it always does."""
    if len(words) == 1 or tool_class is _by_itself(verb):
        return ()
    without = ((word, tuple(other for other in words if other != word)) for word in words if word != verb)
    return next(((word,) for word, rest in without if rest and in_context(verb, rest) is not tool_class), ())


def _what_runs(verb: str, words: tuple[str, ...]) -> ToolClass:
    if not SQL_THAT_DESTROYS.isdisjoint(words):
        return DESTRUCTIVE
    if verb == "execute" and any(PLAIN.get(word) is DESTRUCTIVE for word in words):
        return DESTRUCTIVE
    return READ if any(pair in READ_ONLY for pair in pairwise(words)) else EXECUTE


def _is_of_logs(last: str) -> bool:
    """True for `log_groups` and `log_summary`, which are read; `log_work` writes it down."""
    return last.endswith("s") or last in TOLD_LAST
