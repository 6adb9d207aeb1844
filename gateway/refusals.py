"""Requests that are refused before they are judged have no decision record: they are counted and logged.

Each reason is logged at most once a second, so that whoever floods the gateway does not flood its log.
Nothing that was sent is repeated, and the sender is named only if a token identified it.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.admitted import Admitted
from gateway.http_messages import Reply
from gateway.observer import Observer

_log: Final = logging.getLogger("gateway.refused")

_TOLD_EVERY: Final = 1.0
_MOST_KINDS: Final = 50
_PLACE: Final = re.compile(r" at line \d+ column \d+")


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    reason: str
    organization: str = ""
    grant: str = ""


_OTHERS: Final = _Kind(0, "More kinds of requests were refused than are told in one second.")


class Refusals:
    def __init__(self, observer: Observer, clock: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._clock = clock
        self._counts: Counter[_Kind] = Counter()
        self._told_at = float("-inf")

    def note(self, reply: Reply, admitted: object = None) -> None:
        self._observer.refused(reply.status)
        kind = _kind(reply, admitted if isinstance(admitted, Admitted) else None)
        if kind not in self._counts and len(self._counts) >= _MOST_KINDS:
            kind = _OTHERS
        self._counts[kind] += 1

    def tick(self) -> None:
        now = self._clock()
        if self._counts and now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            self.tell()

    def tell(self) -> None:
        counts, self._counts = self._counts, Counter()
        for kind, count in counts.items():
            about = {"status": kind.status, "organization": kind.organization, "grant": kind.grant}
            told = {name: value for name, value in about.items() if value}
            _log.info("refused: %s", kind.reason, extra={"about": told | {"count": count}})


def _kind(reply: Reply, admitted: Admitted | None) -> _Kind:
    reason = _PLACE.sub("", reply.refuses)
    if admitted is None:
        return _Kind(reply.status, reason)
    return _Kind(reply.status, reason, admitted.organization.organization, admitted.grant.id)
