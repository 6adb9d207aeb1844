"""What makes a tool worse than its class, each by name, with the words it rests on and a sentence. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from catalog.classifier.vocabulary import (
    BULK,
    CODE_PARAMS,
    CODE_WORDS,
    COMMAND_WORDS,
    CREDENTIALS,
    EXECUTE,
    KEPT_BACK,
    MONEY,
    OUTBOUND_NOUNS,
    OUTBOUND_VERBS,
    PRODUCTION,
    READ,
    SECRET_PAIRS,
    SECRET_PARAMS,
    SECRETS,
    SQL_WORDS,
    WRITE,
    ToolClass,
)

# `secretId`, `secret_name`, `password_policy`: which secret, and not the secret.
_NO_SECRET: Final = re.compile(
    r"(?:Id|_id|Ids|_ids|Name|_name|Arn|_arn|Type|_type|Policy|_policy|Length|_length)\Z"
)

_SECRET_WORDS: Final = SECRETS | {first for first, _ in SECRET_PAIRS}

Words: TypeAlias = tuple[str, ...]
Params: TypeAlias = tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Modifier:
    """`steps` is how far it would raise a severity; 0 where the class says as much already."""

    signal: str
    field: Literal["name", "params"]
    words: Words
    steps: int
    sentence: str


def modifiers(tool_class: ToolClass, words: Words, params: Params) -> tuple[Modifier, ...]:
    if tool_class is READ:
        found = [_secret_result(words), _money_seen(words)]
    elif tool_class is WRITE:
        found = [_credentials(words), _outbound(words), _bulk(words), _production(words)]
    elif tool_class is EXECUTE:
        found = [_free_form(words, params), _bulk(words), _production(words)]
    else:
        found = [_credentials(words), _bulk(words), _production(words)]
    if tool_class in (READ, WRITE):
        found.append(_free_form_parameter(params))
    found.append(_secret_parameter(params))
    return tuple(modifier for modifier in found if modifier is not None)


def _named(signal: str, words: Words, known: frozenset[str], steps: int, sentence: str) -> Modifier | None:
    if known.isdisjoint(words):
        return None
    hit = tuple(word for word in words if word in known)
    return Modifier(signal, "name", hit, steps, sentence.format("“" + "” and “".join(hit) + "”"))


def _credentials(words: Words) -> Modifier | None:
    return _named("credentials", words, CREDENTIALS, 1, "{} in the name; it changes who may do what.")


def _outbound(words: Words) -> Modifier | None:
    if OUTBOUND_VERBS.isdisjoint(words) or not (KEPT_BACK.isdisjoint(words) or "send" in words):
        return None
    return _named(
        "outbound_message",
        words,
        OUTBOUND_NOUNS,
        1,
        "{} in the name; people receive it.",
    )


def _bulk(words: Words) -> Modifier | None:
    return _named("bulk", words, BULK, 1, "{} in the name; one call reaches many things.")


def _production(words: Words) -> Modifier | None:
    return _named("production", words, PRODUCTION, 1, "{} in the name, where your users are.")


def _money_seen(words: Words) -> Modifier | None:
    return _named("money", words, MONEY, 1, "{} in the name; it shows who paid what.")


def _secret_result(words: Words) -> Modifier | None:
    if _SECRET_WORDS.isdisjoint(words):
        return None
    pairs = next((pair for pair in pairwise(words) if pair in SECRET_PAIRS), ())
    hit = pairs or tuple(word for word in words if word in SECRETS)
    if not hit:
        return None
    return Modifier("secret_result", "name", hit, 2, f"its answer may hold “{' '.join(hit)}”.")


def _free_form(words: Words, params: Params) -> Modifier | None:
    for kind, known in (("command", COMMAND_WORDS), ("sql", SQL_WORDS), ("code", CODE_WORDS)):
        if found := _named(
            f"free_form_{kind}", words, known, 1, "{} in the name; it runs what the agent writes."
        ):
            return found
    return _free_form_parameter(params)


def _free_form_parameter(params: Params) -> Modifier | None:
    for name, kind, _ in params:
        if kind in ("string", "any", "") and (what := CODE_PARAMS.get(name.lower())):
            sentence = f"whatever the agent writes in “{name}” is run."
            return Modifier(f"free_form_{what}", "params", (name,), 1, sentence)
    return None


# The same names come with very many tools.
@lru_cache(maxsize=4096)
def _carries_a_secret(param: str) -> bool:
    name = param.lower()
    return any(word in name for word in SECRET_PARAMS) and not _NO_SECRET.search(param)


def _secret_parameter(params: Params) -> Modifier | None:
    for name, _, _ in params:
        if _carries_a_secret(name):
            return Modifier(
                "secret_parameter", "params", (name,), 0, f"“{name}” carries a secret in the call."
            )
    return None
