"""Charts, in units of their picture: each interval is 1 wide, the whole is 100 high.

Each chart comes twice: as a picture that needs no script, and as the data from which a script draws its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from audit.figures import Bucket, Latency
from common.templatetags._text import visible_plain

HEIGHT: Final = 100.0
# Bottom to top; the same order as the words in the panel's head.
STACK: Final = (
    ("allow", "allow", "allowed"),
    ("limit", "limit", "held back"),
    ("approval", "ask", "asked a person"),
    ("deny", "deny", "denied"),
    ("hidden", "hide", "hidden"),
)
_STEPS: Final = (1, 2, 5)
_MOST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Bar:
    key: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One interval of time: its bars, and the same in words."""

    x: int
    bars: tuple[Bar, ...]
    words: str


class Publication(NamedTuple):
    policy: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Published:
    x: float
    words: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    columns: tuple[Column, ...]
    levels: tuple[int, ...]
    lines: tuple[float, ...]
    ticks: tuple[datetime, ...]
    published: tuple[Published, ...]
    words: str
    each: str

    @property
    def hatch(self) -> str:
        """Cancels out, at desktop width, the distortion of the stripes when the picture is stretched."""
        return f"scale({self.width / 700:.4f} {HEIGHT / 224:.4f}) rotate(45)"


def draw(
    buckets: Sequence[Bucket], since: datetime, until: datetime, publications: Iterable[Publication]
) -> Chart:
    levels = levels_for(max((bucket.total for bucket in buckets), default=0))
    step = (until - since) / max(len(buckets), 1)
    top = levels[-1]
    return Chart(
        width=len(buckets),
        columns=tuple(_column(x, bucket, step, top) for x, bucket in enumerate(buckets) if bucket.total),
        levels=levels,
        lines=tuple(round(HEIGHT - HEIGHT * level / top, 2) for level in levels),
        ticks=tuple(since + (until - since) * part / 4 for part in range(5)),
        published=tuple(_published(one, since, step) for one in publications),
        words=", ".join(f"{sum(b.counts[name] for b in buckets)} {words}" for name, _, words in STACK),
        each=_length(step),
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """Two lines of milliseconds, broken at intervals without calls. `top` is the upper end of the scale."""

    width: int
    median: tuple[str, ...]
    slowest: tuple[str, ...]
    top: float


def draw_latency(found: Sequence[Latency | None]) -> Lines | None:
    """Draw the latencies, or return None if there was no call."""
    most = max((one.p99 for one in found if one), default=0.0)
    if not any(found):
        return None
    top = next(top for top in _tops() if top >= most)
    return Lines(
        width=len(found),
        median=_paths([None if one is None else one.p50 / top for one in found]),
        slowest=_paths([None if one is None else one.p99 / top for one in found]),
        top=top,
    )


def _tops() -> Iterable[float]:
    power = 0.1
    while True:
        yield from (round(power * step, 6) for step in _STEPS)
        power *= 10


def _paths(shares: Sequence[float | None]) -> tuple[str, ...]:
    """Return the points of each unbroken line. A single one becomes a short line, or it would not be seen."""
    found: list[list[str]] = [[]]
    for x, share in enumerate(shares):
        if share is None:
            found.append([])
        else:
            y = round(HEIGHT - HEIGHT * share, 2)
            found[-1] += [f"{x + 0.5},{y}"] if found[-1] else [f"{x + 0.1},{y}", f"{x + 0.5},{y}"]
    return tuple(" ".join([*points, _to_its_end(points[-1])]) for points in found if points)


def _to_its_end(point: str) -> str:
    x, _, y = point.partition(",")
    return f"{float(x) + 0.4:.1f},{y}"


def levels_for(most: int) -> tuple[int, ...]:
    """Return levels from 0 up in equal round steps, the last at least `most`."""
    step = next(step for step in _round_steps() if step * (_MOST_LINES - 1) >= most)
    count = max(-(-most // step), 1)
    return tuple(step * number for number in range(count + 1))


def _round_steps() -> Iterable[int]:
    power = 1
    while True:
        yield from (power * step for step in _STEPS)
        power *= 10


def calls_data(chart: Chart, buckets: Sequence[Bucket], until: datetime) -> dict[str, object]:
    """Return the data for the script that replaces the picture; moments are in Unix seconds."""
    return {
        "kind": "calls",
        "words": f"Calls by outcome: {chart.words}",
        "starts": _seconds([bucket.at for bucket in buckets]),
        "end": round(until.timestamp()),
        "levels": chart.levels,
        "counts": {name: [bucket.counts[name] for bucket in buckets] for name, _, _ in STACK},
        "published": [
            {"at": round(one.at.timestamp()), "words": visible_plain(one.words)} for one in chart.published
        ],
    }


def latency_data(
    found: Sequence[Latency | None], starts: Sequence[datetime], until: datetime, top: float
) -> dict[str, object]:
    return {
        "kind": "latency",
        "starts": _seconds(starts),
        "end": round(until.timestamp()),
        "top": top,
        "median": [None if one is None else round(one.p50, 4) for one in found],
        "slowest": [None if one is None else round(one.p99, 4) for one in found],
    }


def _seconds(moments: Sequence[datetime]) -> list[int]:
    return [round(moment.timestamp()) for moment in moments]


def _column(x: int, bucket: Bucket, step: timedelta, top: int) -> Column:
    bars = []
    y = HEIGHT
    for name, key, _ in STACK:
        if count := bucket.counts[name]:
            height = HEIGHT * count / top
            y -= height
            bars.append(Bar(key, round(y, 2), round(height, 2)))
    said = ", ".join(f"{bucket.counts[name]} {words}" for name, _, words in STACK if bucket.counts[name])
    return Column(x, tuple(bars), f"{bucket.at:%-d %b %H:%M} to {bucket.at + step:%H:%M} UTC: {said}")


def _published(one: Publication, since: datetime, step: timedelta) -> Published:
    return Published(round((one.at - since) / step, 2), f"{one.policy}, revision {one.number}", one.at)


def _length(step: timedelta) -> str:
    seconds = round(step.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes in (60, 1440):
        return "hour" if minutes == 60 else "day"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.3g} h"
