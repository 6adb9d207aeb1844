"""Verbs that descriptions begin with but names seldom contain, since most are nouns as well. Data."""

from __future__ import annotations

from typing import Final

from catalog.classifier.vocabulary import EXECUTE, FINANCIAL, READ, WRITE

# Nouns as well: verbs only if an article follows.
BEFORE_ARTICLE: Final = {
    verb: tool_class
    for tool_class, verbs in (
        (
            READ,
            """
            access attribute cluster digest draft figure graph hint introduce keyword meet mine
            model name number point present project question quiz quote range refer round screen
            source state structure subset surface survey taste triage value visit yield
            """,
        ),
        (
            WRITE,
            """
            anchor author bar blast border bracket brand cap carry chain chunk clip commission compound
            contribute counter couple cover cushion default direct discount document double dub envelope
            fake file fold form frame hold hook host influence input instrument level leverage lift
            limit mail master mesh offset orient own pack package pad page pool pop pose position prefix
            program prompt prototype release reward scatter scope scratch sequence shape shard shift slot
            space spread staff stamp step style suffix supplement tailor throttle title touch transport
            truncate word zero
            """,
        ),
        (
            EXECUTE,
            """
            bounce cycle drill phone pilot pipe poke power pulse punch race shut signal steer swing travel
            treat
            """,
        ),
        (
            FINANCIAL,
            """
            bill credit debit lease order rent
            """,
        ),
    )
    for verb in verbs.split()
}
