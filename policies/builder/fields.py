from __future__ import annotations

from collections.abc import Mapping


class Fields:
    """A form as it was sent. If a name has several values, the last counts: the button that was pressed."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def get(self, key: str, default: str = "") -> str:
        return (self._values.get(key) or [default])[-1]

    def getlist(self, key: str) -> list[str]:
        return self._values.get(key, [])
