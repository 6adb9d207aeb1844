"""What a description says that a tool does: the first verb of its first sentence, and the object of that.

Pure. A stranger wrote the description: it lowers a class only where the name allows it (`catalog.classify`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise, product
from typing import Final

from catalog.classifier.clauses import ASKED, LABEL, Sentence
from catalog.classifier.company import RUN_AS
from catalog.classifier.inflected import ANSWERS_WITH, INFLECTED, LEADS_TO_VERB, PARTICIPLES, forms
from catalog.classifier.kept import kept_said
from catalog.classifier.money import is_about_money
from catalog.classifier.nouns import deed_of
from catalog.classifier.phrases import PHRASES, without_things
from catalog.classifier.rare import RARE
from catalog.classifier.said import CLAUSE, Said
from catalog.classifier.spoken import BEFORE_ARTICLE
from catalog.classifier.things import THINGS, begins_with_thing, only_things
from catalog.classifier.tongues import EXECUTES, LOOKS, NO_DEEDS, TOLD_UNSPACED, UNSPACED
from catalog.classifier.verbs import RANK, in_context
from catalog.classifier.vocabulary import (
    ANSWERS_MADE,
    DESTRUCTIVE,
    EXECUTE,
    FINANCIAL,
    LOOSE,
    MAKES,
    MAYBE_KEPT,
    MEDIA,
    PLAIN,
    READ,
    READ_ONLY,
    REMOVAL,
    SWITCHES,
    TOLD_LAST,
    UMBRELLAS,
    WRITE,
    ToolClass,
    word_set,
)

SENTENCE: Final = 14
_LISTED: Final = 30
_A_ROW: Final = 2
_TURNED: Final = frozenset({"power", "turn"})
_JOINING: Final = frozenset({"and", "or"})
_SMALL: Final = frozenset({"a", "all", "an", "the"})
# Also `from`, which in a name would mean that something is taken off something.
_SMALL_OFF: Final = _SMALL | {"from"}
# The forms of rare verbs in descriptions, except “-ed”: that says what was done to a thing.
RARE_FORMS: Final = {
    form: verb for verb in RARE for form in forms(verb) if not form.endswith("ed") and form not in INFLECTED
}
# What a sentence may begin with: the verb behind it, its class and how sure that is.
_BEGINS: Final = {
    **{form: (verb, RARE[verb], 0.55) for form, verb in RARE_FORMS.items()},
    **{
        form: (verb, PLAIN[verb], 0.65) if verb in PLAIN else (verb, LOOSE[verb], 0.55)
        for form, verb in INFLECTED.items()
    },
}
_NO_VERB: Final = ("", READ, 0.0)
# After a word that may be a thing, these say that it is one.
_BEHIND_NOUNS: Final = word_set("assigned between created held of owned that which who")
# “Trades of a market”, “Spend by campaign”
_BEHIND_DEALS: Final = (("by",), ("of",), ("per",))
ARTICLES: Final = word_set("a all an any each every one the this these those your")
_ENDS: Final = ((), ("by",), ("for",), ("of",), ("with",))
_TOLD: Final = word_set("history rating ratings score scores state statistics stats status")
BEHIND_HEADS: Final = word_set("""
    about across and as at between by during for from grouped in including of on per since such that to under
    via where which who with within
""")
# “Repositories owned by a user”
_BEHIND_NAMED: Final = BEHIND_HEADS | word_set("""
    assigned available created found held listed matching ordered owned posted published supported used
""")
# A sentence that begins with one of these names something.
_DETERMINES: Final = word_set("""
    a all an any both complete current each every everything full how individual latest my one our per recent
    some the these top total what when where whether which who whose your
""")
# In front of a thing: a sentence that begins with one of these names something, too, unless that is a deed.
_QUALITIES: Final = word_set("""
    best cheapest comprehensive daily detailed general hourly largest live monthly popular real trending
    upcoming useful weekly
""")
# To send some of these is to ask for what they say.
_TALKERS: Final = word_set("advisors council critic critics experts judges jury panel reviewers")
# To carry out one of _LOOKS_OF is to look.
_CARRIES_OUT: Final = word_set("conduct do execute perform run") | word_set(EXECUTES)
_LOOKS_OF: Final = word_set("""
    analyses analysis assessment audit audits comparison diagnosis diagnostic diagnostics inference
    inspection investigation lookup lookups queries research retrieval review scan scans search searches
""") | word_set(LOOKS)
_CHECKS: Final = word_set("check checks")
_PUT_ON: Final = word_set("add assign attach set")
_CRUD: Final = "crud"
_ACTIONS: Final = frozenset(product(("actions", "operations"), ("including", "like", "such")))
_CHANGES_SQL: Final = word_set("alter ddl delete dml insert update")
_GETS_RID: Final = word_set("dispose disposes rid")
_NOT: Final = word_set("cannot disallowed no non not never only without")
# To call one of these and return what it says is to ask.
_MODELS: Final = word_set("ai api llm model")
_BEFORE_ARTICLES: Final = LEADS_TO_VERB | _DETERMINES | BEHIND_HEADS | {"given", "take", "takes"}
# These are done only for the sake of something else.
_MEANS: Final = frozenset(
    chain.from_iterable(
        map(forms, ("accept", "apply", "call", "connect", "load", "open", "process", "take", "use"))
    )
)
_THEN: Final = word_set("and then to")
# Applying something changes something, unless it only helps to think.
_APPLIES: Final = frozenset(forms("apply"))
_THINKS: Final = word_set("analyse analyze assess compare diagnose examine explore identify investigate")
_FAR: Final = 12
_REQUESTS: Final = word_set("execute issue make perform send submit")
_BY_METHOD: Final = {
    "get": READ,
    "head": READ,
    "patch": WRITE,
    "post": WRITE,
    "put": WRITE,
    "delete": DESTRUCTIVE,
}
_ANY_MODEL: Final = word_set(
    "ai chatgpt claude deepseek gemini gpt llama llm mistral model ollama openai qwen"
)
_ASKED_OF: Final = word_set("message messages prompt prompts query question questions")
_TEXTS: Final = ANSWERS_MADE | word_set("coordinates csv html json markdown vector vectors xml yaml")
# To turn one of these on is to change it.
_ONLY_SET: Final = word_set("feature flag flags mode notifications option rule setting settings")
_VERBS_OF_PHRASES: Final = {
    form: verb for verb in (*(verb for verb, _ in PHRASES), *SWITCHES) for form in forms(verb)
}
# By their first characters, the longest first.
_BEGUN_BY: Final[dict[str, tuple[str, ...]]] = {
    sign: tuple(sorted((word for word in (*UNSPACED, *NO_DEEDS) if word[0] == sign), key=len, reverse=True))
    for sign in {word[0] for word in (*UNSPACED, *NO_DEEDS)}
}
_BEGINS_UNSPACED: Final = re.compile(f"[{''.join(sorted(_BEGUN_BY))}]")
# Japanese and Korean, where the verb comes last.
_VERB_LAST: Final = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_ENDS_UNSPACED: Final = re.compile("[.。．!！?？;；\n]")


def deed_said(sentences: tuple[Sentence, ...]) -> Said | None:
    """What the first sentence with a verb in front says; otherwise what the first sentence names or does."""
    if led := lead(sentences):
        return led
    if not sentences or _begins_unknown(sentences[0]):
        return None
    said = sentences[0]
    found = named(said) or next((_done(said, place, verb, sure) for place, verb, sure in _verbs(said)), None)
    if found and found.words[0] in said and _names_all_through(said, found):
        return Said(found.words[:1], READ, 0.5)
    return found


def _names_all_through(said: Sentence, found: Said) -> bool:
    """True for “Honeypot and rug-pull risk score”, “Console messages of”: after a noun, verbs are nouns."""
    word, place = found.words[0], said.index(found.words[0])
    if RANK[found.tool_class] > RANK[EXECUTE]:
        return False
    if not place or said[0] in INFLECTED or said[0] in ARTICLES or _leads(said[place - 1]):
        return False
    behind = said[place + 1] if place + 1 < len(said) else "of"
    return (word == found.verb and word in LOOSE) or (word.endswith("s") and behind in BEHIND_HEADS)


def lead(sentences: tuple[Sentence, ...]) -> Said | None:
    """The verb in front; in later sentences only if it states and does not command: “Returns …”."""
    if sentences and _CRUD in sentences[0]:
        return Said((_CRUD,), DESTRUCTIVE, 0.65, "delete")
    if sentences and (listed := _worst_of_actions(sentences[0])):
        return listed
    for number, said in enumerate(sentences):
        word = said[0]
        if word in ANSWERS_WITH:
            return Said(said[:1], READ, 0.65, "get")
        if number and not word.endswith("s"):
            continue
        if phrase := _phrase(said):
            return phrase
        verb, tool_class, sure = _BEGINS.get(word, _NO_VERB)
        if word in _MEANS and (end := _end_of(said)):
            return end
        if verb and not _is_noun(said, tool_class):
            return (
                _worst_listed_under(sentences, verb)
                or _kept(verb, sentences)
                or _worst_joined(said, verb, sure)
            )
        if _begins_unknown(said):
            return None
    return None


def _worst_of_actions(said: Sentence) -> Said | None:
    """“Perform actions like create folder, list folders, delete folder”"""
    at = next((place for place, pair in enumerate(pairwise(said)) if pair in _ACTIONS), -1)
    if at < 0:
        return None
    done = [
        _done(said, place, said[place], 0.6) for place in range(at + 2, len(said)) if said[place] in PLAIN
    ]
    return max(done, key=lambda one: RANK[one.tool_class], default=None)


def _end_of(said: Sentence) -> Said | None:
    """“Connects to a database and lists its tables”: the deed for which the first one is done."""
    for place in range(2, min(len(said) - 1, _FAR)):
        if said[place] not in _THEN:
            continue
        word = said[place + 1]
        if said[0] in _APPLIES and word not in _THINKS:
            continue
        if word in ANSWERS_WITH:
            return Said((word,), READ, 0.55, "get")
        verb = INFLECTED.get(word, "")
        # It may be two things that are joined: “the name and label”.
        if word not in _MEANS and (verb in PLAIN or (verb and word.endswith("s"))):
            return _done(said, place + 1, verb, 0.55)
    return None


def _phrase(said: Sentence) -> Said | None:
    """“Turns on the light”, “Order a pizza”: a verb because of the word after it."""
    word, behind = said[0], said[1] if len(said) > 1 else ""
    if verb := _VERBS_OF_PHRASES.get(word):
        if verb == "turn" and "into" in said and not _TEXTS.isdisjoint(said[said.index("into") :][:CLAUSE]):
            return Said((word, "into"), READ, 0.55, "convert")
        if tool_class := PHRASES.get((verb, behind)):
            return Said((word, behind), tool_class, 0.65, verb)
        beside = said[1:CLAUSE] if verb in _TURNED and "into" not in said else said[1:2]
        if switched := next((other for other in beside if other in SWITCHES.get(verb, ())), None):
            set_only = not _ONLY_SET.isdisjoint(said[1:CLAUSE])
            return Said((word, switched), WRITE if set_only else EXECUTE, 0.65, verb)
    if behind in ARTICLES and (tool_class := BEFORE_ARTICLE.get(word.removesuffix("s"))):
        return Said((word,), tool_class, 0.55, word)
    return None


def _begins_unknown(said: Sentence) -> bool:
    """True for “Frobs the users”: whatever that is, it is done to something."""
    if len(said) < 2 or said[1] not in ARTICLES or said[-1] == ASKED:
        return False
    return said[0] not in INFLECTED and said[0] not in _BEFORE_ARTICLES


def _worst_listed_under(sentences: tuple[Sentence, ...], verb: str) -> Said | None:
    """“Manages reminders. Supports reading and deleting …” deletes."""
    listed = worst_listed(sentences) if verb in UMBRELLAS else None
    return listed if listed and RANK[listed.tool_class] > RANK[WRITE] else None


def _kept(verb: str, sentences: tuple[Sentence, ...]) -> Said | None:
    """“Download a model … to the models directory”."""
    where = kept_said(sentences[:1]) if verb in MAYBE_KEPT else ()
    return Said((sentences[0][0], *where), WRITE, 0.65, verb) if where else None


def _worst_joined(said: Sentence, verb: str, sure: float) -> Said:
    """“Find and merge …” merges, and “Create, list and delete …” deletes."""
    first = _done(said, 0, verb, sure)
    if RANK[first.tool_class] >= RANK[EXECUTE] or len(said) == 1 or not _in_a_row(said, 1):
        return first
    if (
        said[1] == "and"
        and (besides := BEFORE_ARTICLE.get(said[2] if len(said) > 3 else "", READ)) is not READ
    ):
        # “Extract and file one receipt”
        return max(first, Said(said[2:3], besides, sure, said[2]), key=lambda one: RANK[one.tool_class])
    behind = next((place for place in range(1, len(said)) if not _in_a_row(said, place)), len(said))
    if behind <= _A_ROW and _JOINING.isdisjoint(said[1:behind]):
        return first
    row = [verb, *(INFLECTED[word] for word in said[1:behind] if word not in _JOINING)]
    others = (
        _done(said, place, INFLECTED[said[place]], sure)
        for place in range(1, behind)
        if said[place] not in _JOINING and _counts(INFLECTED[said[place]], row)
    )
    return max((first, *others), key=lambda one: RANK[one.tool_class])


def _in_a_row(said: Sentence, place: int) -> bool:
    """A word that may be a noun counts only next to an “and”, and not after a verb that reads: “Get issue and
    label”."""
    verb = INFLECTED.get(said[place])
    if not verb or said[place] in PARTICIPLES:
        return said[place] in _JOINING
    if verb in PLAIN or said[place - 1] in _JOINING:
        return True
    first = PLAIN.get(INFLECTED.get(said[0], said[0]), READ)
    return first is not READ and said[place + 1 : place + 2] in (("and",), ("or",))


def _counts(verb: str, row: list[str]) -> bool:
    """False for verbs that make, and for removal beside putting on: what is taken off again is not lost."""
    return verb not in MAKES and not (verb in REMOVAL and not _PUT_ON.isdisjoint(row))


def _is_noun(said: Sentence, tool_class: ToolClass) -> bool:
    """True for “Requests of a user”, “Runs.”: several of a thing."""
    if _begins_with_compound(said):
        return True
    if tool_class is FINANCIAL and said[0] not in PLAIN and said[1:2] in _BEHIND_DEALS:
        return True
    if RANK[tool_class] > RANK[EXECUTE]:
        return False
    return said[0].endswith("s") and said[0] in THINGS and (len(said) == 1 or said[1] in _BEHIND_NOUNS)


def _begins_with_compound(said: Sentence) -> bool:
    """True for “Trust score of an agent”, “Open positions of an account”."""
    if len(said) < _A_ROW or said[_A_ROW : _A_ROW + 1] not in _ENDS:
        return False
    return len(without_things(said[:_A_ROW])) < _A_ROW or (said[0] in LOOSE and said[1] in _TOLD)


def named(said: Sentence) -> Said | None:
    """A sentence without a verb in front names what is answered: “The turns of a conversation”."""
    end = next((place for place, word in enumerate(said) if word in _BEHIND_NAMED), len(said))
    head = said[:end]
    if said[-1] == LABEL or said[0] in _QUALITIES:
        deed = deed_of(head) if head and head[-1] not in TOLD_LAST else None
        if not deed or in_context(deed[1], head) is READ:
            return Said((said[0],), READ, 0.5)
    elif said[0] in _DETERMINES or said[-1] == ASKED or said[1:2] == ("s",) or _begins_with_compound(said):
        return Said((said[0],), READ, 0.5)
    if not head or (said[0] in INFLECTED and not _is_noun(said, READ)) or not ARTICLES.isdisjoint(head):
        return None
    if deed := deed_of(head):
        word, verb = deed
        return Said((word,), in_context(verb, head), 0.5, verb)
    if _is_of_something(said):
        return Said((said[0],), READ, 0.5)
    if (head[-1] in THINGS or head[-1] in TOLD_LAST) and (_is_thing_in_front(head) or only_things(head)):
        return Said((head[-1],), READ, 0.5)
    if len(head) > 1 and _is_no_verb(said[0]) and (head[-1] in TOLD_LAST or _is_many(head[-1])):
        # As far as we know: the first word is unknown.
        return Said((head[-1],), READ, 0.45)
    return None


def _is_no_verb(word: str) -> bool:
    return not (word in _BEGINS or word in BEFORE_ARTICLE or word.endswith(("s", "ing")))


def _is_many(word: str) -> bool:
    return word in THINGS or (len(word) > 3 and word.endswith("s") and word not in INFLECTED)


def _is_of_something(said: Sentence) -> bool:
    """True for “State of the printer”, “Profit and loss of an account”: no known verb comes first."""
    if "of" not in said[1:4] or said[0] in _GETS_RID:
        return False
    return not any(word in _BEGINS or word in ARTICLES for word in said[: said.index("of", 1)])


def answer_named(sentences: tuple[Sentence, ...]) -> Said | None:
    """What the first sentence says, if it names an answer and does nothing."""
    found = named(sentences[0]) if sentences else None
    return found if found and found.tool_class is READ else None


def _is_thing_in_front(head: Sentence) -> bool:
    """True for “Ticket requests queue”; “Release locked funds” begins with what may be a verb."""
    return len(head) > 2 and begins_with_thing(head) and head[0] not in RARE


def worst_listed(sentences: tuple[Sentence, ...]) -> Said | None:
    """The worst of the verbs in a row: “manage issues: list, create, update or delete”."""
    said = tuple(chain.from_iterable(sentences))[:_LISTED]
    row: list[int] = []
    best: list[int] = []
    for place, word in enumerate(said):
        if _listed(word):
            row.append(place)
        elif word not in _JOINING:
            row = []
        best = max(best, row, key=len)
    if len(best) < _A_ROW:
        return None
    # Their object follows the last of them.
    done_to = tuple(word for word in said[best[-1] + 1 : best[-1] + CLAUSE] if word not in _SMALL_OFF)
    done = {said[place]: _listed(said[place]) for place in best}
    classes = {word: in_context(verb, (verb, *done_to)) for word, verb in done.items()}
    worst = max(done, key=lambda word: RANK[classes[word]])
    return Said((worst,), classes[worst], 0.65, done[worst])


def _listed(word: str) -> str:
    """The verb of “create” and “creating”; empty if it is not a plain verb."""
    verb = INFLECTED.get(word, "") if word.endswith("ing") else word
    return verb if verb in PLAIN else ""


def reads_only(sentences: tuple[Sentence, ...]) -> tuple[str, ...]:
    """The words that say that it only selects; empty if none do."""
    return next((pair for said in sentences for pair in pairwise(said) if pair in READ_ONLY), ())


def runs_sql(sentences: tuple[Sentence, ...]) -> tuple[str, ...]:
    """The words that say that any SQL is run: “Execute a SQL query”; empty if it only selects."""
    said = sentences[0] if sentences else ()
    if not said or INFLECTED.get(said[0]) not in ("execute", "run") or "sql" not in said[1:CLAUSE]:
        return ()
    if reads_only(sentences) or any(_only_selects(each) for each in sentences):
        return ()
    return (said[0], "sql")


def _only_selects(said: Sentence) -> bool:
    return "select" in said and (_CHANGES_SQL.isdisjoint(said) or not _NOT.isdisjoint(said))


def drawn_up_unsigned(sentences: tuple[Sentence, ...]) -> Said | None:
    """“Prepare an unsigned transaction”: it is answered, and nothing is sent."""
    told = sentences and "unsigned" in sentences[0]
    return Said(("unsigned",), READ, 0.65, "prepare") if told else None


def deed_unspaced(text: str) -> Said | None:
    if text.isascii():
        return None
    for said in (_ENDS_UNSPACED.split(text.strip().lower(), 1)[0], text.lower()):
        if found := [word for word in _unspaced_in(said) if word in UNSPACED]:
            word = found[-1 if _VERB_LAST.search(said) else 0]
            return Said((word,), _BEGINS[UNSPACED[word]][1], 0.6, UNSPACED[word])
    told = next((word for word in TOLD_UNSPACED if word in text), "")
    return Said((told,), READ, 0.5) if told else None


def _unspaced_in(text: str) -> Iterator[str]:
    end = 0
    for begun in _BEGINS_UNSPACED.finditer(text):
        at = begun.start()
        word = next((word for word in _BEGUN_BY[begun[0]] if text.startswith(word, at)), "")
        if word and at >= end:
            end = at + len(word)
            yield word


def _verbs(said: Sentence) -> Iterator[tuple[int, str, float]]:
    """Verbs after a word that leads to one, and then those anywhere else."""
    looked_at = said[:SENTENCE]
    for leads, lexicon, sure in (
        (True, PLAIN, 0.65), (True, LOOSE, 0.55), (True, RARE, 0.55),
        (False, PLAIN, 0.55), (False, LOOSE, 0.5),
    ):  # fmt: skip
        forms_known = RARE_FORMS if lexicon is RARE else INFLECTED
        for place, word in enumerate(looked_at):
            if leads and place and not _leads(said[place - 1]):
                continue
            # “the text that is scanned” says what is there, not what is done.
            verb = forms_known.get(word) if place == 0 or word not in PARTICIPLES else None
            if verb in lexicon:
                yield place, verb, sure


def _leads(word: str) -> bool:
    return word in LEADS_TO_VERB or word.endswith("ly")


def _done(said: tuple[str, ...], place: int, verb: str, sure: float) -> Said:
    small = _SMALL if verb in MAKES else _SMALL_OFF
    clause = (verb, *(word for word in said[place + 1 : place + CLAUSE] if word not in small))
    tool_class = in_context(verb, clause)
    if verb in _REQUESTS and "request" in clause:
        method = next((word for word in clause if word in _BY_METHOD), "")
        tool_class = _BY_METHOD.get(method, tool_class)
    if verb == "send" and not (_ASKED_OF.isdisjoint(clause) or _ANY_MODEL.isdisjoint(said[: place + _FAR])):
        return Said((said[place],), READ, sure, verb)
    if money := is_about_money(verb, tool_class, clause, said):
        told = said[place : place + 1] if money == verb else (said[place], money)
        return Said(told, FINANCIAL, sure, verb)
    if tool_class is EXECUTE and (
        reads_only((said,)) or _only_looks(verb, clause) or _runs_report(verb, said[place + 1 :])
    ):
        return Said((said[place],), READ, sure, verb)
    if verb == "call" and not _MODELS.isdisjoint(clause) and _only_answers(said):
        return Said((said[place],), READ, sure, verb)
    if tool_class is WRITE and verb not in PLAIN and (_only_answers(said) or reads_only((said,))):
        return Said((said[place],), READ, sure, verb)
    return Said((said[place],), tool_class, sure, verb)


def _only_looks(verb: str, clause: tuple[str, ...]) -> bool:
    """True for “Run an analysis of a page”, “Deploy critics”."""
    if not _TALKERS.isdisjoint(clause):
        return True
    if verb not in _CARRIES_OUT:
        return False
    looks = next((place for place, word in enumerate(clause[:4]) if word in _LOOKS_OF), 0)
    looks = looks or next(
        (place for place, word in enumerate(clause[:5]) if place > 1 and word in _CHECKS), 0
    )
    return bool(looks) and RUN_AS.isdisjoint(clause[looks + 1 : looks + 2])


def _runs_report(verb: str, behind: Sentence) -> bool:
    """True for “Runs a Google Analytics Data API report”."""
    end = next((place for place, word in enumerate(behind) if word in BEHIND_HEADS), len(behind))
    return verb == "run" and behind[max(0, end - 1) : end] in (("report",), ("reports",))


def _only_answers(said: tuple[str, ...]) -> bool:
    """True for “Loads a snapshot and returns its paths”; an image that was made is kept."""
    return not {"return", "returns"}.isdisjoint(said) and MEDIA.isdisjoint(said)
