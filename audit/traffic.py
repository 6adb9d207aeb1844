"""Recorded calls, in the form in which the policies app needs them to decide them again."""

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

# Codes by which a policy judged the call itself; no draft would have changed the others.
_OF_POLICIES: Final = frozenset(DECISIONS) - {"malformed", "limiter_unavailable"}
_CLOCKS_DIFFER: Final = timedelta(hours=1)
# Gateways record argument names up to these bounds; below them, none was left out or cut.
MOST_NAMES: Final = 64
LONGEST_NAME: Final = 128
MOST_OF_NAMES: Final = 1_900
_BECAME: Final[dict[str, Became]] = {"allow": "passed", "approval": "asked", "deny": "refused"}


def recorded_calls(member: Asker, grants: Collection[UUID], since: datetime, most: int) -> list[RecordedCall]:
    rows = (
        DecisionRecord.objects.visible_to(member)
        # By id too: the log has one table per day, by the time in the id.
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
    """Return the kept values by path. Values that were too long to keep are unknown, and left out."""
    found: dict[tuple[Step, ...], object] = {}
    for each in kept:
        path = parse_path(each.path)
        if path is None or each.state == "too_long":
            continue
        # The text that a worker sent may not be JSON at all.
        with suppress(RequestInvalid):
            found[path.steps] = MISSING if each.state == "missing" else _value(each.json)
    return found


def _value(text: str) -> object:
    """Read one value, keeping numbers as they were spelt, because rules compare exactly."""
    arguments = read_arguments(f'{{"value": {text}}}')
    if not isinstance(arguments, dict) or len(arguments) != 1:
        raise RequestInvalid("this is more than one value")
    return arguments["value"]


def _became(outcome: str, code: str | None) -> Became:
    if outcome == "deny" and code not in _OF_POLICIES:
        return "other"
    return _BECAME.get(outcome, "other")


def _all_names(names: list[str]) -> frozenset[str] | None:
    """Return the names, or None if the gateway may have left out or cut some to keep within its bounds."""
    longest = max(map(len, names), default=0)
    whole = len(names) < MOST_NAMES and longest < LONGEST_NAME and sum(map(len, names)) < MOST_OF_NAMES
    return frozenset(names) if whole else None
