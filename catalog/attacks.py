"""Attack patterns: how each works, an example, and what stops it here, as a policy with its tests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from catalog.attack_autonomy import (
    CREDENTIAL_LEAKS,
    DESTRUCTIVE_AUTONOMY,
    FREE_FORM,
    RUNAWAY_LOOPS,
    TOKEN_MISUSE,
)
from catalog.attack_shape import Attack
from catalog.attack_trust import (
    COMPROMISED_PACKAGE,
    EXFILTRATION,
    PROMPT_INJECTION,
    RUG_PULL,
    TOOL_POISONING,
)
from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification, Param

ATTACKS: Final = (
    PROMPT_INJECTION,
    TOOL_POISONING,
    RUG_PULL,
    DESTRUCTIVE_AUTONOMY,
    RUNAWAY_LOOPS,
    CREDENTIAL_LEAKS,
    COMPROMISED_PACKAGE,
    TOKEN_MISUSE,
    EXFILTRATION,
    FREE_FORM,
)


@lru_cache(maxsize=1)
def by_key() -> Mapping[str, Attack]:
    return {attack.key: attack for attack in ATTACKS}


# A tool that makes one of these returns it in its answer.
_HANDED_OUT: Final = frozenset(
    {"apikey", "credential", "credentials", "key", "keys", "secret", "secrets", "token", "tokens"}
)


def invited_by(found: Classification, params: tuple[Param, ...]) -> tuple[Attack, ...]:
    """The attack patterns that want such a tool, the closest first; at most four."""
    wanted: list[Attack] = []
    signals = set(found.signals)
    if "secret_result" in signals or "secret_parameter" in signals:
        wanted.append(CREDENTIAL_LEAKS)
    if "credentials" in signals and _HANDED_OUT & {word for one in found.evidence for word in one.words}:
        wanted.append(CREDENTIAL_LEAKS)
    if "credentials" in signals:
        wanted.append(TOKEN_MISUSE)
    if signals & {"free_form_command", "free_form_sql", "free_form_code"}:
        wanted.append(FREE_FORM)
    if found.tool_class in (ToolClass.DESTRUCTIVE, ToolClass.FINANCIAL):
        wanted.append(DESTRUCTIVE_AUTONOMY)
    if "outbound_message" in signals:
        wanted.append(EXFILTRATION)
    if found.tool_class is not ToolClass.READ:
        wanted += [PROMPT_INJECTION, RUNAWAY_LOOPS]
    wanted += (
        [EXFILTRATION, TOOL_POISONING, RUG_PULL]
        if _reads_the_world(found, params)
        else [RUG_PULL, EXFILTRATION]
    )
    return tuple(dict.fromkeys(wanted))[:4]


def _reads_the_world(found: Classification, params: tuple[Param, ...]) -> bool:
    return any(name.lower() in ("url", "uri", "link", "query", "q") for name, _, _ in params)
