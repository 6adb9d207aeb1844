"""What a tool can do, how bad that can get, and why we say so.

Pure and deterministic: the same definition always gets the same answer, and every part of an answer names the
words it rests on. What a server says beyond the name, in a description or a hint, may raise a class; it
lowers one only if the name says nothing or leaves open what is done (`catalog.classifier.leeway`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias, overload

from catalog.classifier.charged import takes, takes_a_price, takes_abroad
from catalog.classifier.choices import Choices, worst_choice
from catalog.classifier.clauses import sentences_of
from catalog.classifier.freeform import passes_on
from catalog.classifier.kept import kept_said
from catalog.classifier.leeway import holds, leaves_open, say_nothing, says_nothing_worse
from catalog.classifier.modifiers import Modifier, modifiers
from catalog.classifier.money import asks_for_money, deal_named, is_about_money, moves_something_else
from catalog.classifier.nouns import (
    DEEDS,
    asks_a_model,
    asks_for,
    deed_of,
    kept_where,
    makes_media,
    names_an_answer,
    only_numbers,
    switches,
    without_product,
    without_server,
)
from catalog.classifier.phrases import phrase_of
from catalog.classifier.rare import rare_verb, surely_a_verb
from catalog.classifier.said import Said
from catalog.classifier.sentences import (
    answer_named,
    deed_said,
    deed_unspaced,
    drawn_up_unsigned,
    lead,
    runs_sql,
    worst_listed,
)
from catalog.classifier.verbs import RANK, beside, empties_itself, in_context, verb_of
from catalog.classifier.vocabulary import (
    AREAS,
    BASE_SEVERITY,
    DESTRUCTIVE,
    DEVICES,
    DRAWN_UP,
    EXECUTE,
    FINANCIAL,
    MANAGES,
    MAYBE_KEPT,
    OPEN_ENDED,
    PLAIN,
    READ,
    REMOVAL,
    REPORTS_ON_CODE,
    RUNS_WHAT,
    SQL_THAT_DESTROYS,
    TOLD_BY_DESCRIPTION,
    UMBRELLAS,
    WRITE,
    Severity,
    ToolClass,
)
from catalog.classifier.worse import said_worse

Field: TypeAlias = Literal["name", "title", "description", "params", "annotations", "siblings"]
Param: TypeAlias = tuple[str, str, bool]

REVIEW_BELOW: Final = 0.5
# A description that begins with a plain verb gives a higher confidence than this.
SURELY_SAID: Final = 0.6
DESCRIPTION_READ: Final = 240
TITLE_READ: Final = 120
NO_HINTS: Final[Mapping[str, object]] = MappingProxyType({})
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class ToolInput:
    name: str
    description: str = ""
    params: tuple[Param, ...] = ()
    annotations: Mapping[str, object] = field(default_factory=lambda: NO_HINTS)
    siblings: tuple[str, ...] = ()
    title: str = ""
    choices: Choices = ()
    server: str = ""


class Evidence(NamedTuple):
    """`words` are the tool's own, found in `field`."""

    rule: str
    field: Field
    words: tuple[str, ...]
    sentence: str


NOTHING_KNOWN: Final = "nothing.known"
CHOSEN: Final = "params.choice"
# Evidence from arguments that counts as much as a name: no hint talks it away.
DECIDES: Final = frozenset({CHOSEN, "params.switch", "params.kept"})


@dataclass(frozen=True, slots=True)
class Classification:
    tool_class: ToolClass
    severity: Severity
    confidence: float
    evidence: tuple[Evidence, ...]
    signals: tuple[str, ...]
    needs_review: bool


class _Verdict(NamedTuple):
    tool_class: ToolClass
    confidence: float
    evidence: tuple[Evidence, ...]
    open_ended: bool = False


def classify(tool: ToolInput) -> Classification:
    words = _without_version(words_of(tool.name))
    verdict = (
        _from_numbers(words, tool.params)
        or _from_router(words, tool.params)
        or _from_name(words, tool)
        or _without_verb(words, tool)
    )
    if tool.description:
        verdict = _worsened(verdict, tool.description)
    verdict = _with_hints(_with_choices(verdict, words, tool), words, tool.annotations)
    # If we know nothing about a tool, we do not say that it changes access or reaches people.
    known = verdict.tool_class if verdict.evidence[-1].rule != NOTHING_KNOWN else READ
    found = modifiers(known, words, tool.params)
    severity, raised = _raise(BASE_SEVERITY[verdict.tool_class], found)
    return Classification(
        tool_class=verdict.tool_class,
        severity=severity,
        confidence=verdict.confidence,
        evidence=verdict.evidence + raised,
        signals=tuple(dict.fromkeys(modifier.signal for modifier in found)),
        needs_review=verdict.confidence < REVIEW_BELOW,
    )


def _without_verb(words: tuple[str, ...], tool: ToolInput) -> _Verdict:
    named = without_product(words, tool.siblings)
    return (
        _from_rare(named, surely=True)
        or _described(lead(sentences_of(tool.description)))
        or _from_title(tool)
        or _from_nouns(named, tool)
        or _from_nouns(without_server(named, tool.server), tool)
        or _from_unspaced(tool)
        or _from_rare(named)
        or _described(deed_said(sentences_of(tool.description)))
        or _from_params(words, tool.params)
        or _from_nothing()
    )


_SEVERITIES: Final = {int(severity): severity for severity in Severity}


def _raise(base: int, found: tuple[Modifier, ...]) -> tuple[Severity, tuple[Evidence, ...]]:
    """Apply each modifier in turn. One that can raise the severity no further is still told, as a signal."""
    if not found:
        return _SEVERITIES[base], ()
    severity, told = _SEVERITIES[base], []
    for modifier in found:
        reached = Severity(min(severity + modifier.steps, Severity.CRITICAL))
        if reached > severity:
            rule, sentence = "severity", f"Raised to {reached.label}: {modifier.sentence}"
        else:
            rule, sentence = "signal", modifier.sentence[0].upper() + modifier.sentence[1:]
        told.append(Evidence(f"{rule}.{modifier.signal}", modifier.field, modifier.words, sentence))
        severity = reached
    return severity, tuple(told)


@lru_cache(maxsize=8192)
def words_of(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def _without_version(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of `clear_cache` for `clearCacheV1`."""
    has_version = len(words) > 3 and words[-2] == "v" and words[-1].isdigit()
    return words[:-2] if has_version else words


def _from_name(words: tuple[str, ...], tool: ToolInput) -> _Verdict | None:
    found = verb_of(words)
    if found is None:
        return None
    verb, plain = found
    meant = in_context(verb, words)
    tool_class = DESTRUCTIVE if empties_itself(verb, words, tool.server) else meant
    is_open_name = leaves_open(verb, words, plain=plain)
    told = is_open_name or not (plain and _is_in_front(verb, words))
    led = _led(tool.description) if told else None
    is_less = led is not None and RANK[led.tool_class] < RANK[tool_class]
    if led and is_less and holds(led, verb, words, tool.description, is_open_name=is_open_name):
        led = None
    if led and (chosen := _chosen_by(led, verb, words)):
        return chosen
    is_open = verb == words[-1] and RANK[tool_class] <= RANK[WRITE]
    rises = led is not None and _rises(led, tool_class)
    if led and led.verb == verb and (rises or (is_open and led.tool_class is not tool_class)):
        # The name leaves open what it is done to.
        return _described(led)
    if drawn := _drawn_up(verb, tool.description):
        return _described(drawn)
    confidence = 0.9 if plain else 0.7
    money = is_about_money(
        verb, tool_class, words, chain((tool.description[:DESCRIPTION_READ],), tool.siblings)
    )
    if money == verb and moves_something_else(verb, tool.params):
        money, tool_class, confidence = None, WRITE, 0.6
    if money:
        said = tuple(dict.fromkeys((verb, money)))
        sentence = f"“{'” with “'.join(said)}” in the name: it moves money or creates a debt."
        return _Verdict(FINANCIAL, confidence, (Evidence("name.money", "name", said, sentence),))
    only_reads = led and led.tool_class is READ and tool_class is not READ
    if led and (only_reads or (not plain and led.verb in PLAIN)):
        # The word in the name is as often a noun; the description begins with a verb.
        if led.tool_class is tool_class:
            confidence = 0.85
        elif verb not in REPORTS_ON_CODE and not (verb in MANAGES and led.tool_class is READ):
            return _described(led)
    if (
        not led
        and tool_class is WRITE
        and is_open_name
        and (answer := answer_named(sentences_of(tool.description)))
    ):
        return _described(answer)
    rule = "name.verb" if plain else "name.word"
    said = (verb, *beside(verb, words, meant))
    evidence = Evidence(rule, "name", said, f"“{'” with “'.join(said)}” in the name: {_MEANS[tool_class]}.")
    # It is only taken off something: if the server calls that destructive, the server knows better.
    taken_off = verb in REMOVAL and tool_class is WRITE
    is_anything = verb != "control" or DEVICES.isdisjoint(words)
    alone = _Verdict(tool_class, confidence, (evidence,), (verb in OPEN_ENDED and is_anything) or taken_off)
    if changed := _by_arguments(alone, verb, words, tool.params):
        return changed
    if verb in TOLD_BY_DESCRIPTION and tool.description:
        return _by_what_is_said(alone, verb, words, tool.description) or alone
    return alone


def _drawn_up(verb: str, description: str) -> Said | None:
    if verb not in DRAWN_UP or "unsigned" not in description:
        return None
    return drawn_up_unsigned(sentences_of(description))


def _led(description: str) -> Said | None:
    return lead(sentences_of(description)) or deed_unspaced(description[:DESCRIPTION_READ])


def _worsened(found: _Verdict, description: str) -> _Verdict:
    """Raise the class if the description is worse: `prepare_metadata`, “Run …”; “Wipes the folder first.”"""
    tool_class, by, said = found.tool_class, found.evidence[0], None
    if is_named := by.field == "name" and by.words != ():
        said = said_worse(description, tool_class, by.words[0])
    if not said and RANK[tool_class] < RANK[DESTRUCTIVE]:
        said = takes_a_price(description) if tool_class is READ else takes(description)
        said = said or (None if is_named else takes_abroad(description))
    if not said:
        return found
    worse = _described(said)
    return _Verdict(worse.tool_class, worse.confidence, (*worse.evidence, *found.evidence))


def _by_arguments(
    found: _Verdict, verb: str, words: tuple[str, ...], params: tuple[Param, ...]
) -> _Verdict | None:
    """The verdict where the arguments change what the verb means."""
    if paid := asks_for_money(found.tool_class, words, params):
        sentence = f"“{'” and “'.join(paid)}” among its arguments: it moves money."
        asked = Evidence("params.money", "params", paid, sentence)
        return _Verdict(FINANCIAL, found.confidence, (*found.evidence, asked))
    if verb == "reset" and (sure := _confirmed(params)):
        sentence = f"“{sure[0]}” among its arguments: it asks for confirmation before it resets."
        wants = Evidence("params.confirm", "params", sure, sentence)
        worse = max(found.tool_class, DESTRUCTIVE, key=RANK.__getitem__)
        return _Verdict(worse, found.confidence, (*found.evidence, wants))
    if found.tool_class is READ:
        writes = _writes_all_the_same(verb, params)
        return _Verdict(WRITE, found.confidence, (writes,)) if writes else None
    return None


def _by_what_is_said(found: _Verdict, verb: str, words: tuple[str, ...], description: str) -> _Verdict | None:
    """The verdict from the description, for a verb that leaves open what it does."""
    said = sentences_of(description)
    if verb in UMBRELLAS:
        listed = worst_listed(said)
        return _described(listed) if listed and RANK[listed.tool_class] > RANK[found.tool_class] else None
    if verb == "query" and found.tool_class is READ and (ran := runs_sql(said)):
        sentence = f"The description says “{' … '.join(ran)}”: it runs what it is given."
        return _Verdict(EXECUTE, 0.7, (Evidence("description.verb", "description", ran, sentence),))
    if verb in MAYBE_KEPT and found.tool_class is READ and (kept := kept_said(said)):
        sentence = f"The description says “{' … '.join(kept)}”: it stores the result."
        where = Evidence("description.kept", "description", kept, sentence)
        return _Verdict(WRITE, 0.7, (where, *found.evidence))
    return None


def _writes_all_the_same(verb: str, params: tuple[Param, ...]) -> Evidence | None:
    if switch := switches(verb, params):
        sentence = f"“{switch[0]}” among its arguments: it switches something on or off."
        return Evidence("params.switch", "params", switch, sentence)
    if where := kept_where(verb, params):
        sentence = f"“{where[0]}” among its arguments: it writes its result there."
        return Evidence("params.kept", "params", where, sentence)
    return None


def _confirmed(params: tuple[Param, ...]) -> tuple[str, ...]:
    return next(((name,) for name, _, _ in params if name.lower().startswith("confirm")), ())


def _is_in_front(verb: str, words: tuple[str, ...]) -> bool:
    return words[0] == verb and len(words) > 1 and verb not in AREAS


def _chosen_by(led: Said, verb: str, words: tuple[str, ...]) -> _Verdict | None:
    """`resolve_import`, “Resolve …”: the description begins with the word of the name that is its verb."""
    if led.verb == verb or _is_in_front(verb, words):
        return None
    if len(words) == 1:
        return _described(led) if led.verb in PLAIN and verb not in REPORTS_ON_CODE else None
    word = next((word for word in words if led.verb in (word, DEEDS.get(word))), None)
    if word is None or _is_settled(led, verb, words):
        return None
    sentence = f"“{word}” in the name and at the start of the description: {_MEANS[led.tool_class]}."
    evidence = Evidence("name.verb", "name", (word,), sentence)
    return _Verdict(led.tool_class, 0.75, (evidence,), led.verb in OPEN_ENDED)


def _rises(led: Said, named: ToolClass) -> bool:
    """True for `format_text`, “Format a range of cells”: what it is done to makes it worse."""
    if named is READ:
        return RANK[led.tool_class] > RANK[in_context(led.verb, (led.verb,))]
    return named is WRITE and RANK[led.tool_class] > RANK[WRITE]


def _is_settled(led: Said, verb: str, words: tuple[str, ...]) -> bool:
    """True for `message_list`, `run_report`, `create_chat_completion`: as a whole, it reads."""
    if RANK[led.tool_class] > RANK[EXECUTE] or in_context(verb, words) is not READ:
        return False
    is_named = phrase_of(words) is not None or (verb in PLAIN and led.verb not in PLAIN)
    return is_named or in_context(led.verb, words) is READ


def _from_numbers(words: tuple[str, ...], params: tuple[Param, ...]) -> _Verdict | None:
    if not (numbers := only_numbers(words, params)):
        return None
    sentence = "It takes only numbers, and nothing that they could change."
    return _Verdict(READ, 0.7, (Evidence("params.numbers", "params", numbers, sentence),))


def _from_router(words: tuple[str, ...], params: tuple[Param, ...]) -> _Verdict | None:
    """The verdict on one tool for all commands of an area, such as `compute`: its name is only the area's."""
    if not (passed := passes_on(params)) or ((found := verb_of(words)) and _is_in_front(found[0], words)):
        return None
    sentence = f"“{passed[0]}” and “{passed[1]}” among its arguments: it stands for many commands."
    return _Verdict(EXECUTE, 0.4, (Evidence("params.router", "params", passed, sentence),), True)


def _from_nouns(words: tuple[str, ...], tool: ToolInput) -> _Verdict | None:
    params = tool.params
    if sql := tuple(word for word in words if word in SQL_THAT_DESTROYS):
        sentence = f"“{sql[0]}” in the name: such statements can change or delete stored data."
        return _Verdict(DESTRUCTIVE, 0.6, (Evidence("name.sql", "name", sql, sentence),), True)
    if paid := deal_named(words, params):
        sentence = f"“{' '.join(paid)}” in the name: it moves money or creates a debt."
        return _Verdict(FINANCIAL, 0.6, (Evidence("name.money", "name", paid, sentence),))
    if made := makes_media(words):
        sentence = f"“to {made[0]}” in the name: it produces something new."
        return _Verdict(WRITE, 0.6, (Evidence("name.made", "name", made, sentence),))
    if asked := asks_a_model(words, params):
        sentence = f"“{asked[0]}” among its arguments: it asks a model and returns the reply."
        return _Verdict(READ, 0.55, (Evidence("params.model", "params", asked, sentence),))
    if deed := deed_of(words):
        word, verb = deed
        tool_class = in_context(verb, words)
        if tool_class is not READ and (answer := answer_named(sentences_of(tool.description))):
            return _described(answer)
        evidence = Evidence("name.deed", "name", (word,), f"“{word}” in the name: {_MEANS[tool_class]}.")
        return _Verdict(tool_class, 0.6, (evidence,), verb in OPEN_ENDED)
    if named := names_an_answer(words, params):
        sentence = f"“{named[0]}” in the name says what is returned, and nothing in it what is changed."
        return _Verdict(READ, 0.55, (Evidence("name.answer", "name", named, sentence),))
    return None


def _from_title(tool: ToolInput) -> _Verdict | None:
    """The verdict from the verb of the title, if the name has none."""
    words = words_of(tool.title[:TITLE_READ]) if tool.title else ()
    if not words or words == words_of(tool.name) or not (found := verb_of(words)):
        return None
    verb, plain = found
    tool_class = in_context(verb, words)
    told: tuple[str, ...] = (verb,)
    if money := is_about_money(verb, tool_class, words, tool.siblings):
        tool_class, told = FINANCIAL, tuple(dict.fromkeys((verb, money)))
    sentence = f"“{'” with “'.join(told)}” in the title: {_MEANS[tool_class]}."
    evidence = Evidence("title.verb", "title", told, sentence)
    return _Verdict(tool_class, 0.65 if plain else 0.55, (evidence,), verb in OPEN_ENDED)


def _with_choices(verdict: _Verdict, words: tuple[str, ...], tool: ToolInput) -> _Verdict:
    """The values to choose from may raise any class, and decide it if the rest leaves open what is done."""
    worst = worst_choice(words, tool.choices, tool.siblings) if tool.choices else None
    if worst is None:
        return verdict
    rises = RANK[worst.tool_class] > RANK[verdict.tool_class]
    says_nothing = verdict.open_ended or verdict.confidence < REVIEW_BELOW
    # A verdict that says something is raised only by a plain verb: `sort` may be an operation, too.
    if not (says_nothing and (rises or worst.all_known)) and not (rises and worst.is_plain):
        return verdict
    sentence = f"“{worst.value}” can be chosen as “{worst.param}”: {_MEANS[worst.tool_class]}."
    evidence = Evidence(CHOSEN, "params", (worst.param,), sentence)
    return _Verdict(worst.tool_class, 0.8, (evidence, *verdict.evidence[: not says_nothing]))


def _from_rare(words: tuple[str, ...], *, surely: bool = False) -> _Verdict | None:
    """`surely`: only a first word that is never a noun and does more than read; it precedes descriptions."""
    if not (verb := rare_verb(words)) or (surely and (verb != words[0] or not surely_a_verb(verb))):
        return None
    tool_class = in_context(verb, words)
    if surely and tool_class is READ:
        return None
    told: tuple[str, ...] = (verb,)
    if money := is_about_money(verb, tool_class, words, ()):
        tool_class, told = FINANCIAL, tuple(dict.fromkeys((verb, money)))
    evidence = Evidence(
        "name.verb", "name", told, f"“{'” with “'.join(told)}” in the name: {_MEANS[tool_class]}."
    )
    return _Verdict(tool_class, 0.6 if surely_a_verb(verb) else 0.5, (evidence,))


def _from_params(words: tuple[str, ...], params: tuple[Param, ...]) -> _Verdict | None:
    if asked := asks_for(words, params):
        sentence = f"“{asked[0]}” among its arguments says what to look up, and none what to change."
        return _Verdict(READ, 0.55, (Evidence("params.asked", "params", asked, sentence),))
    if run := next(((name,) for name, _, _ in params if name.lower() in RUNS_WHAT), ()):
        sentence = f"“{run[0]}” among its arguments: what is written there is executed."
        return _Verdict(EXECUTE, 0.55, (Evidence("params.run", "params", run, sentence),))
    return None


_MEANS: Final = {
    READ: "it reads and changes nothing",
    WRITE: "it creates or changes something",
    EXECUTE: "it runs or starts something",
    DESTRUCTIVE: "what it removes may be gone for good",
    FINANCIAL: "it moves money",
}


@overload
def _described(found: Said) -> _Verdict: ...
@overload
def _described(found: None) -> None: ...
def _described(found: Said | None) -> _Verdict | None:
    if not found:
        return None
    quoted = " … ".join(found.words)
    if not found.verb:
        sentence = f"The description begins with “{quoted}”: it names what is returned."
        evidence = Evidence("description.answer", "description", found.words, sentence)
        return _Verdict(found.tool_class, found.confidence, (evidence,))
    sentence = f"The description says “{quoted}”: {_MEANS[found.tool_class]}."
    evidence = Evidence("description.verb", "description", found.words, sentence)
    return _Verdict(found.tool_class, found.confidence, (evidence,))


def _from_unspaced(tool: ToolInput) -> _Verdict | None:
    if found := deed_unspaced(tool.name):
        sentence = f"“{found.words[0]}” in the name: {_MEANS[found.tool_class]}."
        return _Verdict(found.tool_class, 0.7, (Evidence("name.verb", "name", found.words, sentence),))
    return _described(deed_unspaced(tool.description[:DESCRIPTION_READ]))


def _from_nothing() -> _Verdict:
    # Never Read: a rule for the class Read would let it through.
    sentence = "Neither the name nor the description says what it does."
    return _Verdict(WRITE, 0.3, (Evidence(NOTHING_KNOWN, "name", (), sentence),), True)


def _with_hints(verdict: _Verdict, words: tuple[str, ...], hints: Mapping[str, object]) -> _Verdict:
    if not hints or say_nothing(hints):
        return verdict
    destructive, reads = hints.get("destructiveHint") is True, hints.get("readOnlyHint")
    says = verdict.evidence[0].field == "name" or verdict.evidence[0].rule in DECIDES
    named = says and verdict.confidence >= REVIEW_BELOW
    told = named or (verdict.evidence[0].rule == "description.verb" and verdict.confidence > SURELY_SAID)
    if reads is True:
        if named or verdict.tool_class is DESTRUCTIVE or not says_nothing_worse(words):
            return verdict
        return _hinted(verdict, READ, 0.6, "readOnlyHint", "The server marks it as read-only.")
    if destructive and RANK[verdict.tool_class] < RANK[DESTRUCTIVE]:
        sentence = "The server marks it as destructive."
        if verdict.open_ended or not told:
            return _hinted(verdict, DESTRUCTIVE, 0.6, "destructiveHint", sentence)
        if verdict.tool_class is READ:
            # Its name and its hint say opposite things: a person has to look.
            return _hinted(verdict, WRITE, 0.45, "destructiveHint", sentence)
    doubtful = verdict.tool_class is READ and verdict.confidence < 0.85
    if reads is False and (verdict.evidence[0].rule == NOTHING_KNOWN or doubtful):
        sentence = "The server does not mark it as read-only."
        return _hinted(verdict, WRITE, 0.6, "readOnlyHint", sentence)
    return verdict


def _hinted(
    verdict: _Verdict, tool_class: ToolClass, confidence: float, hint: str, sentence: str
) -> _Verdict:
    evidence = Evidence("annotations.hint", "annotations", (hint,), sentence)
    return _Verdict(tool_class, confidence, (*verdict.evidence, evidence))
