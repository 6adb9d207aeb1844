"""What makes a tool worse than its class: modifiers by name, each with its words and a sentence. Pure."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from catalog.classifier.access import changes_access
from catalog.classifier.freeform import argument, named
from catalog.classifier.messages import reaches_people
from catalog.classifier.secret import secret_given, secret_told
from catalog.classifier.vocabulary import (
    DESTRUCTIVE,
    EXECUTE,
    MONEY,
    READ,
    WRITE,
    Params,
    ToolClass,
    argument_names,
    word_set,
)

Words: TypeAlias = tuple[str, ...]

_BULK: Final = word_set("all batch bulk everything many mass multiple")
# These leave nothing of what is there.
_LEAVES_NOTHING: Final = word_set("purge truncate wipe")
_EMPTIES: Final = word_set("cleanup clear empty prune")
_EMPTIED: Final = word_set("bin collection database index queue table trash")
_NO_PLURAL: Final = word_set("alias canvas focus status")
_MULTI: Final = word_set("clone copy create delete edit move put remove rename set update")
_PRODUCTION: Final = word_set("live prod production")
# One of these that is live serves people; a live session or picture does not.
_LIVE: Final = word_set(
    "database db deployment env environment server site store system theme traffic version"
)
# With these, “production” is what a factory does.
_MADE: Final = word_set("company cost line order orders plan planning report schedule")
_MONEY_SEEN: Final = MONEY | word_set("charge payslip payslips")
_MONEY_PAIRS: Final = frozenset(
    {
        *(("bank", "statement"), ("bank", "statements"), ("account", "statement"), ("card", "bill")),
        *(("credit", "note"), ("credit", "notes"), ("financial", "events")),
    }
)
_TRANSACTIONS: Final = word_set("transaction transactions")
# These say what could be paid, and in which ways and forms, not what was paid.
_ABOUT_MONEY: Final = word_set("""
    address addresses battery car catalog conditions countries country decode ev forms generate method
    methods offers options predict rate rates route schema snippet template templates type types
""")
# Transactions on a chain can be seen by everyone; those in a database or a trace are not about money.
_NO_MONEY: Final = word_set("""
    address algod analyze block bsv bundle chain confirmation count decode ens eth ethereum firestore flow
    hash helius history indexer insider logs mempool multisig nft octav onchain pool provider raw receipt
    rules safe silo simulate solana spans starknet swap token tx validate verify wallet
""")
_CHAIN_PARAMS: Final = word_set("""
    address block blockchain blockparameter chain chain_id chainid contract hash network organizationslug
    projectslug signature transactionhash tx tx_hash txhash txid
""")
_OF_A_PAYER: Final = word_set("""
    account bank buy card credit customer fiat payment receivables recurrence refund sell unapproved
""")
_LEAD_TO_MONEY: Final = _MONEY_SEEN | _TRANSACTIONS | frozenset(first for first, _ in _MONEY_PAIRS)


@dataclass(frozen=True, slots=True)
class Modifier:
    """`steps` is how far it would raise a severity; 0 if it is only told."""

    signal: str
    field: Literal["name", "params"]
    words: Words
    steps: int
    sentence: str


def modifiers(tool_class: ToolClass, words: Words, params: Params) -> tuple[Modifier, ...]:
    if tool_class is READ:
        found = [_secret_result(words), _money_seen(words, params)]
    elif tool_class is WRITE:
        found = [_credentials(tool_class, words, params), _outbound(words, params)]
        found += [_bulk(tool_class, words), _production(words)]
    elif tool_class is EXECUTE:
        found = [_free_form(words, params), _bulk(tool_class, words), _production(words)]
    else:
        found = [_credentials(tool_class, words, params), _bulk(tool_class, words), _production(words)]
    if params:
        if tool_class in (READ, WRITE):
            found.append(_free_form_parameter(tool_class, words, params))
        found.append(_secret_parameter(tool_class, words, params))
    return tuple(modifier for modifier in found if modifier is not None)


def _by_name(signal: str, hit: Words, sentence: str) -> Modifier:
    return Modifier(signal, "name", hit, 1, sentence.format("“" + "” and “".join(hit) + "”"))


def _credentials(tool_class: ToolClass, words: Words, params: Params) -> Modifier | None:
    hit = changes_access(tool_class, words, params)
    return _by_name("credentials", hit, "{} in the name; it changes who may do what.") if hit else None


def _outbound(words: Words, params: Params) -> Modifier | None:
    hit = reaches_people(words, params)
    return _by_name("outbound_message", hit, "{} in the name; people receive it.") if hit else None


def _bulk(tool_class: ToolClass, words: Words) -> Modifier | None:
    hit = _many(tool_class, words)
    return _by_name("bulk", hit, "{} in the name; one call affects many things.") if hit else None


def _many(tool_class: ToolClass, words: Words) -> Words:
    if not _BULK.isdisjoint(words):
        return tuple(word for word in words if word in _BULK)
    if tool_class is DESTRUCTIVE and (hit := _emptied(words)):
        return hit
    return ("multi",) if "multi" in words and _is_done_to_many(words) else ()


def _is_done_to_many(words: Words) -> bool:
    """True for `clone_multi`, `multi_move`, `rename_multi_functions`; not a product or browser so named."""
    at = words.index("multi")
    if words[at + 1 : at + 2] and words[at + 1] in _MULTI:
        return True
    return at > 0 and words[at - 1] in _MULTI and (words[-1] == "multi" or words[-1].endswith("s"))


def _emptied(words: Words) -> Words:
    if hit := tuple(word for word in words if word in _LEAVES_NOTHING):
        return hit
    last = words[-1] if words else ""
    is_many = last in _EMPTIED or (last.endswith("s") and not last.endswith("ss") and last not in _NO_PLURAL)
    return next(((word, last) for word in words[:-1] if word in _EMPTIES and is_many), ())


def _production(words: Words) -> Modifier | None:
    if _PRODUCTION.isdisjoint(words):
        return None
    hit = tuple(
        one
        for one, then in pairwise((*words, ""))
        if one in _PRODUCTION and (not then or then in _LIVE if one == "live" else then not in _MADE)
    )
    return _by_name("production", hit, "{} in the name; it acts where your users are.") if hit else None


def _money_seen(words: Words, params: Params) -> Modifier | None:
    if _LEAD_TO_MONEY.isdisjoint(words) or not _ABOUT_MONEY.isdisjoint(words):
        return None
    hit = tuple(word for word in words if word in _MONEY_SEEN)
    hit = hit or next((pair for pair in pairwise(words) if pair in _MONEY_PAIRS), ())
    hit = hit or _transactions(words, params)
    return _by_name("money", hit, "{} in the name; it shows who paid what.") if hit else None


def _transactions(words: Words, params: Params) -> Words:
    if not _NO_MONEY.isdisjoint(words) or len(words) == 1:
        return ()
    names = argument_names(params)
    if _CHAIN_PARAMS.isdisjoint(names) and (names or not _OF_A_PAYER.isdisjoint(words)):
        return tuple(word for word in words if word in _TRANSACTIONS)
    return ()


def _secret_result(words: Words) -> Modifier | None:
    hit = secret_told(words)
    if not hit:
        return None
    return Modifier("secret_result", "name", hit, 2, f"its result may contain “{' '.join(hit)}”.")


def _free_form(words: Words, params: Params) -> Modifier | None:
    if found := named(words, is_all_we_know=not params):
        kind, hit = found
        return _by_name(f"free_form_{kind}", hit, "{} in the name; it runs what the agent writes.")
    return _free_form_parameter(EXECUTE, words, params)


def _free_form_parameter(tool_class: ToolClass, words: Words, params: Params) -> Modifier | None:
    if not (found := argument(tool_class, words, params)):
        return None
    kind, name = found
    sentence = f"what the agent writes in “{name}” is run."
    return Modifier(f"free_form_{kind}", "params", (name,), 1, sentence)


def _secret_parameter(tool_class: ToolClass, words: Words, params: Params) -> Modifier | None:
    name = secret_given(tool_class, words, params)
    if not name:
        return None
    return Modifier("secret_parameter", "params", (name,), 0, f"“{name}” passes a secret in the call.")
