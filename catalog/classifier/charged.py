"""Finds where a description says in passing what a call takes: someone's money, or what was there. Pure.

It is said beside the first verb, and mostly after it: “… Each lookup is billed.”, “… and pay what is owed”,
“… its disk is wiped”, or in another language. It raises a class and never lowers one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from catalog.classifier.clauses import READ, Sentence, parts_of, sentences_of, words_in
from catalog.classifier.company import FOR_GOOD as PERMANENTLY
from catalog.classifier.company import LOST_FOR_GOOD
from catalog.classifier.inflected import INFLECTED
from catalog.classifier.said import CLAUSE, Said
from catalog.classifier.tongues import FOR_GOOD, GIVEN_BACK
from catalog.classifier.vocabulary import DEALS, DEALT, DESTRUCTIVE, FINANCIAL, word_set

_ARTICLES: Final = word_set("a all an any each every existing her his its my our the their this those your")
_WHAT: Final = _ARTICLES | word_set("for from it them what whatever with")
_THEN: Final = word_set("and automatically then")
_IS: Final = word_set("are be gets is")
# With one of these, it may well not be so.
_NOT: Final = word_set("cannot if isn never no not nothing unless whether without won")
# What follows one of these says which, or when.
_WHICH: Final = word_set("after before how once that until what when where which who whose")
_MAY: Final = word_set("can could may might would")
_NEAR: Final = 3
_CHARGED: Final = word_set("billed charged debited deducted")
_SETTLED: Final = word_set("paid settled")
_COSTS: Final = word_set("charges cost costs price priced")
_WITH: Final = word_set("automatically by from in on out through via with")
_PRICED: Final = _CHARGED | _SETTLED | {"paying"}
_PAYS: Final = word_set("""
    buy buys charge charges debit debits disburse disburses fund pay pays purchase purchases refund refunds
    reimburse reimburses spend spends
""")
_PAID: Final = _CHARGED | word_set("disbursed paid refunded")
# “… and payment is taken”
_MOVED: Final = word_set("deposited moved sent taken transferred withdrawn")
_MONEY: Final = word_set("funds money payment")
# “… releasing payment to the agent”
_MOVES: Final = word_set("""
    charge charges commit commits committing deposit deposits disburse disburses escrow initiate initiates
    lock locks pay paying pays place places refund refunds release releases releasing send sending sends spend
    spends sweep sweeps transfer transferring transfers withdraw withdraws
""")
_MOVED_MONEY: Final = word_set("""
    balance bid collateral deposits escrow funds lamports money payment payments refund salaries sats stake
    usdc usdt wager wages
""")
# Of these, only a text is sent.
_ABOUT_MONEY: Final = word_set("""
    amount confirmation data details event events form history info information intent link links method
    methods notification notifications page pages plan policy receipt receipts record records reminder
    reminders reports request requests screen status term terms webhook webhooks
""")
_ENDS: Final = word_set("""
    delete deletes deleting destroy destroys discard discards drop drops erase erases erasing purge purges
    wipe wipes wiping
""")
_ENDED: Final = word_set("deleted destroyed discarded erased lost overwritten purged wiped")
_RECOVERED: Final = word_set("recover recoverable recovered restored reversed reverted undone")
# “can't” is read as the words “can” and “t”.
_CANNOT: Final = word_set("cannot not t")
_PERHAPS: Final = word_set("if unless whether")
_IRREVERSIBLE: Final = "irreversible"
# “This action is irreversible”; said of a state or a setting it means only that this can be chosen.
_WHAT_IS_DONE: Final = word_set("action call change deletion it operation this tool")
_FOR_GOOD: Final = word_set("irrecoverable irrecoverably irretrievably unrecoverable")
_OVERWRITES: Final = word_set("overwrite overwrites overwriting")
# Overwriting one of these loses what it held.
_HELD: Final = word_set("account database everything history site workspace")
# With a capital, a word begins a sentence wherever it appears.
_ENDS_SOMETHING: Final = (
    "Deletes ", "Destroys ", "Drops ", "Erases ", "Irreversibly ", "Permanently ", "Purges ", "Wipes ",
)  # fmt: skip
# Two words of which each says it: “Real money”, “not reversible”.
_SAID_PAID: Final = (
    (word_set("real"), word_set("capital cash funds money")),
    (word_set("incur incurs"), word_set("charge charges cost costs fees")),
    (word_set("billing"), word_set("begins starts")),
    (word_set("billed"), word_set("per")),
    (word_set("binding"), word_set("bid offer order")),
)
_SAID_LOST: Final = (
    (word_set("not"), word_set("recoverable reversible")),
    (word_set("destructive"), word_set("action command operation")),
    (word_set("deleted gone lost removed"), word_set("forever")),
    (word_set("cause causes causing"), word_set("data")),
)
_DENIED: Final = _NOT | word_set("can could may might non paper simulated virtual")
# One word of every pair, and words of what else tells.
_TELLING: Final = word_set(
    "billed billing binding destructive forever incur incurs loss real reversible undo"
)
# Verbs that lose something if it is done for good.
_LOST_SO: Final = LOST_FOR_GOOD | {"cancel", "merge"}
_ENDING: Final = frozenset(
    form for form, verb in INFLECTED.items() if verb in _LOST_SO and not form.endswith("ed")
)
# A description with none of _TAKES is read no further.
_PAYMENTS: Final = _PRICED | _PAYS | _PAID | _MOVED_MONEY
_LOSSES: Final = _ENDS | _ENDED | _RECOVERED | _FOR_GOOD | _OVERWRITES | {_IRREVERSIBLE}
_TAKES: Final = _PAYMENTS | _LOSSES | _TELLING | PERMANENTLY
_DEALS_FOR_GOOD: Final = word_set(FOR_GOOD)
_GIVEN_BACK: Final = word_set(GIVEN_BACK)
_ABROAD: Final = DEALT | _DEALS_FOR_GOOD


def takes_a_price(description: str) -> Said | None:
    """“Costs 12 credits, deducted from your balance”; a price alone is for the caller to pay."""
    text = description[:READ]
    if "$" not in text and "credits" not in text and "x402" not in text:
        return None
    if not any(map(text.__contains__, _PRICED)):
        return None
    return next((paid for said in parts_of(text) if (paid := _price_in(said))), None)


def takes(description: str) -> Said | None:
    """What a call takes, for a tool that changes something."""
    words = words_in(text := description[:READ])
    told = _TAKES.intersection(words)
    if not told or _says_half(told, words):
        return None
    if ended := next((begins for begins in _ENDS_SOMETHING if begins in description), ""):
        return Said((ended.strip().lower(),), DESTRUCTIVE, 0.6, "delete")
    sentences = tuple(parts_of(text))
    for said in sentences:
        if not _PAYMENTS.isdisjoint(said) and (paid := _price_in(said) or _payment_in(said)):
            return paid
        if pair := _said_in(said, _SAID_PAID):
            return Said(pair, FINANCIAL, 0.65, "pay")
    for said in sentences:
        if (
            lost := _lost_in(said)
            or _ends_for_good(said)
            or _never_undone(said)
            or _said_in(said, _SAID_LOST)
        ):
            return Said(lost, DESTRUCTIVE, 0.6, "delete")
    return None


def _said_in(said: Sentence, pairs: tuple[tuple[frozenset[str], frozenset[str]], ...]) -> Sentence:
    """The pair, unless it is denied or only possible: “no real money”, “may incur charges”."""
    if _TELLING.isdisjoint(said):
        return ()
    for place, (one, other) in enumerate(pairwise(said)):
        if any(one in first and other in second for first, second in pairs):
            is_so = _DENIED.isdisjoint(said[:place]) and _WHICH.isdisjoint(said[:place])
            if is_so and (other != "data" or said[place + 2 : place + 3] == ("loss",)):
                return one, other
    return ()


def _ends_for_good(said: Sentence) -> Sentence:
    """“Archives a contact permanently”, where the verb comes first."""
    if (how := next((word for word in said if word in PERMANENTLY), "")) == "":
        return ()
    done = next((word for word in said[:2] if word in _ENDING), "")
    return (done, how) if done and _NOT.isdisjoint(said) else ()


def _never_undone(said: Sentence) -> Sentence:
    """“There is no way to undo this”, “Irreversible!”"""
    if "undo" in said and {"impossible", "no"} & set(said[: said.index("undo")]):
        return ("undo",)
    return (_IRREVERSIBLE,) if said[:1] == (_IRREVERSIBLE,) and len(said) <= 2 else ()


def _says_half(told: frozenset[str], words: Sentence) -> bool:
    """True for money that nothing moves, and for overwriting something small."""
    return (told <= _OVERWRITES and _HELD.isdisjoint(words)) or (
        told <= _MOVED_MONEY and _MOVES.isdisjoint(words) and _MOVED.isdisjoint(words)
    )


def takes_abroad(description: str) -> Said | None:
    """In other languages: “Gibt ein Gebot ab”, “Faturayı öder”; only if no verb of the name says the deed."""
    for said in sentences_of(description):
        if _ABROAD.isdisjoint(said):
            continue
        for place, word in enumerate(said):
            if word in DEALT and _GIVEN_BACK.isdisjoint(said):
                near = said[max(0, place - CLAUSE) : place + _NEAR]
                if deal := next((other for other in near if other in DEALS), ""):
                    return Said((deal, word), FINANCIAL, 0.6, "pay")
            if word in _DEALS_FOR_GOOD:
                return Said((word,), DESTRUCTIVE, 0.55, "delete")
    return None


def _price_in(said: Sentence) -> Said | None:
    for place, word in enumerate(said):
        if word not in _PRICED:
            continue
        with_it = not _WITH.isdisjoint(said[place + 1 : place + 2])
        costs = not _COSTS.isdisjoint(said[:place]) and _NOT.isdisjoint(said)
        if (
            (word == "paying" and with_it)
            or (word in _SETTLED and costs and with_it)
            or (word in _CHARGED and (_is_told(said, place) or (costs and _WHICH.isdisjoint(said[:place]))))
        ):
            return Said((word,), FINANCIAL, 0.65, "pay")
    return None


def _payment_in(said: Sentence) -> Said | None:
    for place, word in enumerate(said):
        before, behind = said[max(0, place - _NEAR) : place], said[place + 1 : place + 2]
        if word in _MOVED_MONEY and _ABOUT_MONEY.isdisjoint(behind):
            moved = next((other for other in before if other in _MOVES), "")
            if moved and "would" not in before:
                return Said((moved, word), FINANCIAL, 0.65, "pay")
        is_paid = word in _PAID or (word in _MOVED and not _MONEY.isdisjoint(before[1:]))
        if (is_paid and _is_told(said, place)) or (word in _PAYS and _is_besides(said, place, _WHAT)):
            return Said((word,), FINANCIAL, 0.65, "pay")
    return None


def _lost_in(said: Sentence) -> Sentence:
    if _LOSSES.isdisjoint(said):
        return ()
    return next(
        ((word,) for place, word in enumerate(said) if word in _LOSSES and _is_lost(said, place, word)), ()
    )


def _is_lost(said: Sentence, place: int, word: str) -> bool:
    if word in _ENDS:
        return _is_besides(said, place, _ARTICLES)
    if word in _OVERWRITES:
        return not _HELD.isdisjoint(said[place + 1 : place + 4])
    if word in _RECOVERED:
        return _PERHAPS.isdisjoint(said[:place]) and not _CANNOT.isdisjoint(said[max(0, place - 2) : place])
    if word == _IRREVERSIBLE:
        return _is_told(said, place) and not _WHAT_IS_DONE.isdisjoint(said[:place])
    return word in _FOR_GOOD or (word in _ENDED and _is_told(said, place))


def _is_besides(said: Sentence, place: int, articles: frozenset[str]) -> bool:
    """True for a further verb: “… and pay what is owed”."""
    if said[max(0, place - 1)] not in _THEN or articles.isdisjoint(said[place + 1 : place + 2]):
        return False
    return _NOT.isdisjoint(said[:place]) and _WHICH.isdisjoint(said[:place])


def _is_told(said: Sentence, place: int) -> bool:
    """True for “spend is billed to …”; “once it is paid” only says when."""
    if not _NOT.isdisjoint(said) or not _WHICH.isdisjoint(said[:place]) or not _MAY.isdisjoint(said[:place]):
        return False
    return not _IS.isdisjoint(said[max(0, place - _NEAR) : place])
