"""Words of one decision for a row of the log."""

from __future__ import annotations

from django import template

from audit.models import DecisionRecord
from policies.language.glance import rule_words

register = template.Library()


@register.filter
def why(record: DecisionRecord) -> str:
    """What the agent was told, or which rule let it through."""
    if record.code == "hidden":
        return "hidden from this grant"
    return record.reason or rule_words(record.rule, record.tool)
