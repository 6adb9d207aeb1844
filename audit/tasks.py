"""The log's housekeeping. Each may run twice, and at once."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from audit import retention


@shared_task
def keep_house() -> None:
    now = timezone.now()
    retention.keep_tables(now)
    retention.mend_half_hours(now)
    retention.forget_old(now)
    retention.forget_counts(now)
    retention.forget_days(now)
