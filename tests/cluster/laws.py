"""The laws that every history must keep, whatever was killed, stopped, delayed or cut off meanwhile.

Pure functions. Where a history leaves open when something happened, a law counts as broken only if it was
broken in every case.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeVar

from tests.cluster.history import ALLOWED, Call, History, Limit, Published, Receipt, Shown, Verdict

# The times of records are truncated to whole milliseconds.
GRAIN = 0.002
_Item = TypeVar("_Item")
_Seen = TypeVar("_Seen", Verdict, Shown)


@dataclass(frozen=True, slots=True)
class Broken:
    law: str
    how: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds in seconds. `acked`: how long after its ack a worker may still judge by an older revision.
    `named`: how soon after a publish a worker that does not follow must be shown as behind."""

    acked: float = 0.05
    named: float = 5.0


def broken(history: History, bounds: Bounds | None = None) -> list[Broken]:
    bounds = bounds or Bounds()
    return [Broken(law, how) for law, found in LAWS.items() for how in found(history, bounds)]


# ---- 1
def unallowed(history: History) -> Iterator[str]:
    """Match in order: the n-th receipt of a digest needs n earlier allows of it, so no allow serves two."""
    allows = _by_digest(verdict for verdict in history.verdicts if verdict.outcome == "allow")
    for digest, receipts in _receipts(history).items():
        times = sorted(verdict.at for verdict in allows.get(digest, ()))
        for number, receipt in enumerate(receipts):
            if number >= len(times):
                yield f"{receipt.tool} arrived {len(receipts)} times and was allowed {len(times)} times"
                break
            if times[number] > receipt.at:
                yield f"{receipt.tool} arrived {times[number] - receipt.at:.3f} s before it was allowed"


# ---- 2
def fallen(history: History) -> Iterator[str]:
    for worker, verdicts in _by_worker(history.verdicts).items():
        ended = sorted(verdicts, key=lambda verdict: verdict.at)
        times = [verdict.at for verdict in ended]
        highest = list(accumulate((verdict.revision for verdict in ended), max))
        for verdict in verdicts:
            before = bisect_left(times, verdict.began - GRAIN)
            if before and highest[before - 1] > verdict.revision:
                yield f"{worker} judged by {verdict.revision} after it had judged by {highest[before - 1]}"
                break


# ---- 3
def outdated(history: History, bounds: Bounds) -> Iterator[str]:
    shown = _by_worker(history.shown)
    published = sorted(history.published, key=lambda one: one.at)
    for worker, verdicts in _by_worker(history.verdicts).items():
        views = sorted(shown.get(worker, ()), key=lambda view: view.at)
        yield from _first(_after_its_word(verdict, views, bounds) for verdict in verdicts)
        yield from _first(_unnamed(verdict, views, published, bounds) for verdict in verdicts)


def _after_its_word(verdict: Verdict, views: Sequence[Shown], bounds: Bounds) -> str | None:
    known = bisect_left(views, verdict.began - bounds.acked, key=lambda view: view.at)
    said = max((view.revision for view in views[:known]), default=0)
    if said <= verdict.revision:
        return None
    return f"{verdict.worker} had said that it runs {said} and judged by {verdict.revision}"


def _unnamed(
    verdict: Verdict, views: Sequence[Shown], published: Sequence[Published], bounds: Bounds
) -> str | None:
    due = bisect_left(published, verdict.began - bounds.named, key=lambda one: one.at)
    if not due or published[due - 1].revision <= verdict.revision:
        return None
    newest = published[due - 1]
    first = bisect_right(views, newest.at, key=lambda view: view.at)
    last = bisect_right(views, verdict.began, key=lambda view: view.at)
    if any(view.gone or view.revision < newest.revision for view in views[first:last]):
        return None
    late = verdict.began - newest.at
    behind = f"judged by {verdict.revision} {late:.1f} s after {newest.revision}"
    return f"{verdict.worker} {behind} and was not named"


# ---- 4
def overshot(history: History) -> Iterator[str]:
    """A charge was made at some time between the start of the call and its arrival, so only calls that lie
    wholly within a window count."""
    began = {call.digest: call for call in reversed(history.calls)}
    for limit in history.limits:
        spans = [
            (began[receipt.digest].began, receipt.at)
            for receipt in history.receipts
            if receipt.digest in began and _is_charged(limit, began[receipt.digest])
        ]
        most = max((_within(spans, begin, limit.seconds) for begin, _ in spans), default=0)
        if most > limit.most:
            yield f"{limit.tool}: {most} arrived within {limit.seconds} s, at most {limit.most} may"


def _is_charged(limit: Limit, call: Call) -> bool:
    return (call.tool, call.grant) == (limit.tool, limit.grant)


def _within(spans: Sequence[tuple[float, float]], begin: float, seconds: float) -> int:
    return sum(first >= begin and last < begin + seconds for first, last in spans)


# ---- 5
def spent_twice(history: History) -> Iterator[str]:
    """Repeats of one call are identical, so count its receipts against the approvals that allowed it."""
    by_approval: dict[str, set[str]] = defaultdict(set)
    approvals: dict[str, set[str]] = defaultdict(set)
    for verdict in history.verdicts:
        if verdict.outcome == "allow" and verdict.approval is not None:
            by_approval[verdict.approval].add(verdict.digest)
            approvals[verdict.digest].add(verdict.approval)
    for approval, digests in by_approval.items():
        if len(digests) > 1:
            yield f"{approval} sent {len(digests)} different calls"
    for digest, receipts in _receipts(history).items():
        if digest in approvals and len(receipts) > len(approvals[digest]):
            yield f"{receipts[0].tool} arrived {len(receipts)} times with {len(approvals[digest])} approvals"


# ---- 6
def lost_or_doubled(history: History) -> Iterator[str]:
    """A call without an answer may have a record or not; one that was answered has exactly one."""
    sent, answered = Counter[str](), Counter[str]()
    said: dict[str, Counter[bool]] = defaultdict(Counter)
    for call in history.calls:
        sent[call.digest] += 1
        if call.said is not None:
            answered[call.digest] += 1
            said[call.digest][call.said == ALLOWED] += 1
    kept = Counter(verdict.digest for verdict in history.verdicts)
    allowed = Counter(verdict.digest for verdict in history.verdicts if verdict.outcome == "allow")
    yield from _first(
        f"{kept[digest]} records of a call answered {answered[digest]} times" for digest in sent
        if kept[digest] < answered[digest] or allowed[digest] < said[digest][True]
    )  # fmt: skip
    yield from _first(
        f"{kept[digest]} records of a call sent {sent[digest]} times" for digest in kept
        if kept[digest] > sent[digest]
    )  # fmt: skip
    for what, names in (
        ("id", Counter(verdict.id for verdict in history.verdicts)),
        ("place", Counter(f"{verdict.spool}:{verdict.sequence}" for verdict in history.verdicts)),
    ):
        yield from _first(f"{count} records of one {what}" for count in names.values() if count > 1)


# ---- by
def _first(found: Iterable[str | None]) -> Iterator[str]:
    """The first sentence, and how many more there are: a broken law is usually broken often."""
    sentences = [sentence for sentence in found if sentence is not None]
    if sentences:
        more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        yield f"{sentences[0]}{more}"


def _by_digest(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    return _grouped(verdicts, lambda verdict: verdict.digest)


def _receipts(history: History) -> dict[str, list[Receipt]]:
    ordered = sorted(history.receipts, key=lambda receipt: receipt.at)
    return _grouped(ordered, lambda receipt: receipt.digest)


def _by_worker(seen: Iterable[_Seen]) -> dict[str, list[_Seen]]:
    return _grouped(seen, lambda one: one.worker)


def _grouped(items: Iterable[_Item], key: Callable[[_Item], str]) -> dict[str, list[_Item]]:
    found: dict[str, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


LAWS: Final[dict[str, Callable[[History, Bounds], Iterable[str]]]] = {
    "every receipt has exactly one earlier allow": lambda history, _: unallowed(history),
    "the revision a worker judges by never falls": lambda history, _: fallen(history),
    "no verdict under an older revision after its bound": outdated,
    "in any window receipts are at most the limit": lambda history, _: overshot(history),
    "an approval is for one call, once": lambda history, _: spent_twice(history),
    "no call without its record, none lost, none doubled": lambda history, _: lost_or_doubled(history),
}
