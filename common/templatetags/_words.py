"""The vocabulary of risk and outcome: which word, which glyph, which icon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from common.templatetags import _icons

# From open to closed; every bar and every list keeps this order.
EFFECT_WORDS = {
    "allow": "Allowed",
    "limit": "Limited",
    "cond": "Conditional",
    "ask": "Needs approval",
    "deny": "Denied",
    "hide": "Hidden",
}
_EFFECT_KEYS = {
    "allowed": "allow",
    "limited": "limit",
    "conditional": "cond",
    "needs_approval": "ask",
    "denied": "deny",
    "hidden": "hide",
}
_DENIALS = {
    "limit_exceeded": ("limit", "Held back"),
    "limiter_unavailable": ("limit", "Held back"),
    "hidden": ("hide", "Hidden"),
    "approval_required": ("ask", "Waiting"),
    "approval_declined": ("ask", "Declined"),
    "approval_expired": ("ask", "Expired"),
}
SEVERITY_WORDS = {1: "Low", 2: "Medium", 3: "High", 4: "Critical"}


def effect_key(value: str) -> str:
    key = _EFFECT_KEYS.get(str(value), str(value))
    if key not in EFFECT_WORDS:
        raise ValueError(f"no effect is called {value!r}")
    return key


def ordered_effects(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    by_key = {effect_key(value): count for value, count in counts.items()}
    return [(key, words, by_key.get(key, 0)) for key, words in EFFECT_WORDS.items()]


def difference(change: int) -> str:
    if change == 0:
        return "as live"
    return f"{'+' if change > 0 else '−'}{abs(change)} vs live"


def outcome_words(value: str, code: str | None, approved: bool = False) -> tuple[str, str]:
    match str(value):
        case "allow":
            return "allow", "Approved" if approved else "Allowed"
        case "approval":
            return "ask", "Waiting"
        case _:
            return _DENIALS.get(code or "", ("deny", "Denied"))


def class_words(name: str | None) -> tuple[str, str]:
    known = str(name or "").capitalize()
    if known in _icons.CLASS_ICONS:
        return _icons.CLASS_ICONS[known], known
    return _icons.NO_CLASS_ICON, "Not classified"


def severity_level(value: str | int | None) -> int:
    if isinstance(value, int):
        return value if value in SEVERITY_WORDS else 0
    words = str(value or "").capitalize()
    return next((level for level, known in SEVERITY_WORDS.items() if known == words), 0)


def exact_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


_SPANS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (30 * 86_400, 86_400, "day"))
_LONG_SPANS = ((365 * 86_400, 30 * 86_400, "month"), (float("inf"), 365 * 86_400, "year"))


def relative_time(moment: datetime, now: datetime) -> str:
    """The same words as in frontend/js/times.js, which keeps them up to date."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    # Something just set to end in 7 days is shown as ending in 7 days, not in 6.
    return f"{_span(int(seconds))} ago" if seconds > 0 else f"in {_span(int(-seconds), 86_400)}"


def _span(seconds: int, rounded_from: float = float("inf")) -> str:
    for below, unit, word in (*_SPANS, *_LONG_SPANS):
        if seconds < below:
            count = (seconds + unit // 2 if unit >= rounded_from else seconds) // unit
            plural = "s" if len(word) > 3 or word == "day" else ""
            return f"{count} {word}{plural if count != 1 else ''}"
    raise AssertionError("the last span has no end")
