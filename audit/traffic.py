"""Recorded calls, as the policies' room asks for them when it decides them again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from accounts.tenancy import Asker
from audit.kept import Opener
from audit.models import DecisionRecord
from common.ids import first_uuid_of
from gateway_config.wire.messages import KeptArgument
from policies.language.decision import MISSING
from policies.language.loose_json import RequestInvalid
from policies.language.paths import Step, parse_path
from policies.language.reference_codes import DECISIONS
from policies.language.steps import read_arguments
from policies.traffic import Became, RecordedCall

# A policy decided these by what the call was; the others no draft would have changed.
_OF_POLICIES: Final = frozenset(DECISIONS) - {"malformed", "limiter_unavailable"}
_READ: Final = ("pk", "at", "grant_id", "tool", "outcome", "code", "argument_names", "sealed_arguments")
_CLOCKS_DIFFER: Final = timedelta(hours=1)
# Gateways keep names up to these bounds; below them nothing was left out.
MOST_NAMES: Final = 64
LONGEST_NAME: Final = 128
MOST_OF_NAMES: Final = 1_900
_BECAME: Final[dict[str, Became]] = {"allow": "passed", "approval": "asked", "deny": "refused"}


def recorded_calls(member: Asker, grants: Collection[UUID], since: datetime, most: int) -> list[RecordedCall]:
    rows = (
        DecisionRecord.objects.visible_to(member)
        # By id too: the log has one table a day, by the time in it.
        .filter(id__gte=first_uuid_of((since - _CLOCKS_DIFFER).timestamp()), at__gte=since)
        .filter(grant_id__in=grants, method="tools/call")
        .order_by("-position")
        .values_list("pk", "at", "grant_id", "tool", "outcome", "code", "argument_names", "sealed_arguments")[
            :most
        ]
    )
    opener = Opener(member.organization_id)
    return [
        RecordedCall(
            at_ms=int(at.timestamp() * 1000),
            grant=grant,
            tool=tool,
            became=_became(outcome, code),
            names=_all_names(names),
            kept=_values(opener.open(pk, sealed)),
        )
        for pk, at, grant, tool, outcome, code, names, sealed in rows
    ]


def _values(kept: Iterable[KeptArgument]) -> dict[tuple[Step, ...], object]:
    """Of what was too long to keep nothing is known."""
    found: dict[tuple[Step, ...], object] = {}
    for each in kept:
        path = parse_path(each.path)
        if path is None or each.state == "too_long":
            continue
        # What a worker wrote may be no JSON at all.
        with suppress(RequestInvalid):
            found[path.steps] = MISSING if each.state == "missing" else _value(each.json)
    return found


def _value(text: str) -> object:
    """With every number as it was spelt, for rules judge exactly."""
    arguments = read_arguments(f'{{"value": {text}}}')
    if not isinstance(arguments, dict) or len(arguments) != 1:
        raise RequestInvalid("this is more than one value")
    return arguments["value"]


def _became(outcome: str, code: str | None) -> Became:
    if outcome == "deny" and code not in _OF_POLICIES:
        return "other"
    return _BECAME.get(outcome, "other")


def _all_names(names: list[str]) -> frozenset[str] | None:
    """None where gateways may have left some out, or cut one: they keep a bounded part."""
    longest = max(map(len, names), default=0)
    whole = len(names) < MOST_NAMES and longest < LONGEST_NAME and sum(map(len, names)) < MOST_OF_NAMES
    return frozenset(names) if whole else None
