"""The latest reasons why tools were stopped: counts hold no reasons, so the newest stopped calls are read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final

from django.db import connection
from django.utils import timezone

from accounts.tenancy import Asker
from audit.outcomes import shown_outcome
from audit.trace import in_short
from common.ids import first_uuid_of
from policies.language.document import Limit
from policies.language.glance import rule_words
from policies.language.named import named_by
from policies.language.phrases import over_words
from policies.language.sentences import limit_exceeded_sentence

# Only so many are read, through the index of stopped calls, and no older ones: a page waits for this.
NEWEST: Final = 500
LATELY: Final = timedelta(days=7)

_STOPS = """
    SELECT stop.tool, outcome, code, reason, rule, retry_after_seconds, revision.document, position FROM (
        SELECT DISTINCT ON (1, 2, 3) left(newest.tool, 256) AS tool, outcome, code, reason, rule,
            retry_after_seconds, policy_revision_id, organization_id, position
        FROM (
            SELECT * FROM audit_decisionrecord
            WHERE organization_id = %s AND NOT (outcome = 'allow') AND id >= %s
            ORDER BY position DESC LIMIT %s
        ) newest WHERE left(newest.tool, 256) = ANY(%s)
        ORDER BY 1, 2, 3, position DESC
    ) stop LEFT JOIN policies_policyrevision revision ON stop.code = 'limit_exceeded'
        AND revision.id = stop.policy_revision_id AND revision.organization_id = stop.organization_id
"""


def last_reasons(member: Asker, tools: Iterable[str], since: datetime) -> dict[tuple[str, str], str]:
    """Return reasons by tool, named as in the counts, and outcome, for tools that were stopped lately."""
    named = list(tools)
    if not named:
        return {}
    earliest = first_uuid_of(max(since, timezone.now() - LATELY).timestamp())
    found: dict[tuple[str, str], str] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STOPS, [member.organization_id, earliest, NEWEST, named])
        rows = sorted(cursor.fetchall(), key=itemgetter(-1), reverse=True)
    for tool, outcome, code, reason, rule, again, document, _ in rows:
        told = _over(rule, document) or _told(tool, reason, rule, again)
        found.setdefault((tool, shown_outcome(outcome, code)), told)
    return found


def _over(rule: str, document: str | None) -> str:
    """Describe the limit that held the call back; empty if no limit did, or it is not known."""
    limit = named_by(rule, document) if document is not None else None
    return over_words(limit) if isinstance(limit, Limit) else ""


def _told(tool: str, reason: str, rule: str, again: int | None) -> str:
    """Shorten the reason, without when to try again: that time is past."""
    if reason == limit_exceeded_sentence(tool, again):
        return rule_words(rule, tool)
    return in_short(tool, reason.removesuffix(f"; try again in {again} s."), rule).removesuffix(".")
