"""The log's housekeeping. It may be started twice, even at the same time: then one of them does nothing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from audit import retention
from common.alone import HOUSEKEEPING, alone


@shared_task
def keep_house() -> None:
    with alone(HOUSEKEEPING) as mine:
        if not mine:
            return
        now = timezone.now()
        retention.keep_tables(now)
        retention.mend_half_hours(now)
        retention.forget_old(now)
        retention.forget_events(now)
        retention.forget_counts(now)
        retention.forget_days(now)
