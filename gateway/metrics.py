"""Metrics for Prometheus, on a port of their own. No label names a tenant, a tool or a person."""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.config_store import ConfigStore
from gateway.decision_log import DecisionLog
from gateway_config.wire.messages import CompletionEntry, DecisionLine

_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
# Counted from 0, so that an alert sees the first one, too; as are the calls that end well, so that one sees
# that none does.
_OUTAGES: Final = ("limiter_unavailable", "record_unavailable", "approval_unavailable")


class Metrics:
    """The gateway's observer, which gives what it saw as text. Values are only noted until the next tick."""

    def __init__(self) -> None:
        self._decisions: Counter[tuple[str, str]] = Counter({("deny", code): 0 for code in _OUTAGES})
        self._outcomes: list[tuple[str, str]] = []
        self._completions: Counter[str] = Counter({"": 0})
        self._codes: list[str] = []
        self._refused: Counter[int] = Counter()
        self._added = _Histogram("policylayer_added_seconds", "From a call's arrival to its decision.")
        self._calls = _Histogram("policylayer_call_seconds", "From a call's arrival to its end.")
        self._upstream = _Histogram(
            "policylayer_upstream_seconds", "From a call's sending to the first byte of the server's answer."
        )
        self._limiter = _Histogram("policylayer_limiter_seconds", "What asking the limiter took.")

    def decisions(self, entries: Sequence[DecisionLine]) -> None:
        outcomes, added = self._outcomes, self._added.noted
        for entry in entries:
            outcomes.append((entry.outcome, entry.code or ""))
            added.append(entry.added_us / 1e6)

    def completion(self, entry: CompletionEntry) -> None:
        self._codes.append(entry.upstream_code or "")
        self._calls.noted.append(entry.total_us / 1e6)

    def limiter(self, seconds: float) -> None:
        self._limiter.noted.append(seconds)

    def upstream(self, seconds: float) -> None:
        self._upstream.noted.append(seconds)

    def refused(self, status: int) -> None:
        self._refused[status] += 1

    def tick(self) -> None:
        self._decisions.update(self._outcomes)
        self._outcomes.clear()
        self._completions.update(self._codes)
        self._codes.clear()
        for histogram in (self._added, self._calls, self._upstream, self._limiter):
            histogram.count()

    def text(self, store: ConfigStore, decisions: DecisionLog) -> str:
        self.tick()
        return "\n".join((*self._lines(store, decisions), ""))

    def _lines(self, store: ConfigStore, decisions: DecisionLog) -> Iterator[str]:
        yield from _head("policylayer_decisions_total", "counter", "Calls decided, by outcome and code.")
        for (outcome, code), count in sorted(self._decisions.items()):
            yield f'policylayer_decisions_total{{outcome="{outcome}",code="{code}"}} {count}'
        yield from _head("policylayer_completions_total", "counter", "Calls forwarded, by how they ended.")
        for code, count in sorted(self._completions.items()):
            yield f'policylayer_completions_total{{code="{code}"}} {count}'
        yield from _head("policylayer_refused_total", "counter", "Requests refused unjudged, by HTTP status.")
        for status, count in sorted(self._refused.items()):
            yield f'policylayer_refused_total{{status="{status}"}} {count}'
        for histogram in (self._added, self._calls, self._upstream, self._limiter):
            yield from histogram.lines()
        yield from _gauge(
            "policylayer_config_age_seconds",
            "Since the control plane was heard; -1: never.",
            store.contact_age,
        )
        yield from _gauge(
            "policylayer_config_revision_age_seconds",
            "Since the newest configuration in force here was made; -1: none is.",
            _age(max((envelope.not_before for envelope in store.enforced().values()), default=0)),
        )
        yield from _gauge(
            "policylayer_config_behind",
            "Organizations whose newest configuration is not in force here: refused, or not yet applied.",
            store.behind,
        )
        yield from _gauge("policylayer_ready", "Whether there is a verified configuration.", int(store.ready))
        yield from _gauge(
            "policylayer_recording",
            "Whether calls can be recorded; if not, they are denied.",
            int(not decisions.trouble()),
        )
        yield from _gauge(
            "policylayer_spool_records", "Records not yet at the control plane.", decisions.length
        )


class _Histogram:
    """Values are only noted, then many are counted at once, which is far less work."""

    def __init__(self, name: str, about: str) -> None:
        self._name = name
        self._about = about
        self.noted: list[float] = []
        self._at_most = [0] * len(_BOUNDS)
        self._count = 0
        self._sum = 0.0

    def count(self) -> None:
        noted, self.noted = sorted(self.noted), []
        for place, bound in enumerate(_BOUNDS):
            self._at_most[place] += bisect_right(noted, bound)
        self._count += len(noted)
        self._sum += sum(noted)

    def lines(self) -> Iterator[str]:
        yield from _head(self._name, "histogram", self._about)
        for bound, count in zip((*_BOUNDS, "+Inf"), (*self._at_most, self._count), strict=True):
            yield f'{self._name}_bucket{{le="{bound}"}} {count}'
        yield f"{self._name}_sum {self._sum:.6f}"
        yield f"{self._name}_count {self._count}"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _gauge(name: str, about: str, value: float) -> Iterator[str]:
    yield from _head(name, "gauge", about)
    yield f"{name} {round(value, 3)}"


def _age(moment: float) -> float:
    return time.time() - moment if moment else -1
