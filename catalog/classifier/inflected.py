"""How a description spells the verbs of the lexicons. Data."""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import LOOSE, PLAIN, word_set


def forms(verb: str) -> tuple[str, ...]:
    stem = verb[:-1]
    if verb.endswith("e"):
        return (verb, verb + "s", stem + "ing", verb + "d")
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return (verb, stem + "ies", verb + "ing", stem + "ied")
    doubled = verb + verb[-1]
    return (verb, verb + "s", verb + "es", verb + "ing", verb + "ed", doubled + "ing", doubled + "ed")


# From each form in which a description spells a verb of the lexicons to that verb. Plain verbs win.
INFLECTED: Final[dict[str, str]] = {
    form: verb for lexicon in (LOOSE, PLAIN) for verb in lexicon for form in forms(verb)
}
# A description that begins with one of these says what is answered.
ANSWERS_WITH: Final = word_set(
    "answers contains displays outputs provides responds return returns returning shows tells"
)
# If a sentence says what a tool does, one of these comes before the verb.
LEADS_TO_VERB: Final = word_set("""
    action allow allows also and api can command enables endpoint function helps lets method operation or
    could that then this to tool used user users which will you
""")
# Forms that say what was done to a thing.
PARTICIPLES: Final = frozenset(
    form
    for form, verb in INFLECTED.items()
    if form.endswith("ed") and form not in PLAIN and form not in LOOSE
)
