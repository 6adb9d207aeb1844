"""Where an import resumes after previous runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from catalog.models import SourceCheck

# A registry's clock may be behind ours; hearing of an entry twice changes nothing.
OVERLAP: Final = timedelta(hours=1)


def where_to_go_on(source: str) -> tuple[str, str]:
    """`(since, cursor)` for a source that is read in pages.

    A walk may take several runs. The next walk has to ask for what changed during it, so `since` is when the
    last complete walk began, not when its last run did.
    """
    runs = SourceCheck.objects.filter(source=source)
    last = runs.order_by("-pk").first()
    cursor = last.cursor if last and last.finished_at is None else ""
    ended = runs.exclude(finished_at=None).order_by("-pk")[:2]
    if not ended:
        return "", cursor
    before = ended[1].pk if len(ended) > 1 else 0
    began = (
        runs.filter(pk__gt=before, pk__lte=ended[0].pk).order_by("pk").values_list("started_at", flat=True)[0]
    )
    return (began - OVERLAP).isoformat(), cursor
