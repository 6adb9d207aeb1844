"""Spans of time in forms and sentences, as people write them: 90 minutes, 12 hours, 1 day."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_SECONDS: Final = {"w": 604_800, **{unit[0]: seconds for unit, seconds in _UNITS}}
_PART: Final = r"(\d{1,9})\s*(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)\b"
_WRITTEN: Final = re.compile(rf"{_PART}(?:(?:\s*,|\s+and)?\s*{_PART})*", re.IGNORECASE)


def span_in_words(seconds: int) -> str:
    """`90000` is "1 day and 1 hour"."""
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))) or "0 seconds"


def seconds_of(text: str) -> int | None:
    """The span in seconds; None if it is not a span of time, or has no unit."""
    if len(text) > 100 or not text.isascii() or _WRITTEN.fullmatch(text.strip()) is None:
        return None
    return sum(
        int(count) * _SECONDS[unit[0].lower()] for count, unit in re.findall(_PART, text, re.IGNORECASE)
    )


class SpanField(forms.CharField):
    """Seconds, written and read as a span of time."""

    def __init__(self, *, shortest: int, longest: int, such_as: str, **more: Any) -> None:
        self.shortest, self.longest = shortest, longest
        bounds = f"from {span_in_words(shortest)} to {span_in_words(longest)}"
        said = f"Write a time {bounds}, such as {such_as}."
        super().__init__(max_length=200, error_messages={"required": said, "invalid": said}, **more)

    def prepare_value(self, value: Any) -> Any:
        return span_in_words(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        seconds = seconds_of(super().clean(value))
        if seconds is None or not self.shortest <= seconds <= self.longest:
            raise ValidationError(self.error_messages["invalid"], "invalid")
        return seconds
