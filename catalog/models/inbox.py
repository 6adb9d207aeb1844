"""What visitors send: messages, and reports of wrong labels."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class ContactMessage(models.Model):
    email = models.EmailField(max_length=254)
    about = models.CharField(max_length=200, blank=True)
    message = models.TextField(max_length=5000)
    sent_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=254, blank=True, db_default="", default="")

    class Meta:
        verbose_name = "message"
        indexes: ClassVar = [
            models.Index(
                fields=["sent_at"], condition=models.Q(answered_at=None), name="catalog_message_queue"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sent_at:%Y-%m-%d} {self.about}"


class LabelReport(models.Model):
    """A visitor's report that a label is wrong, settled by staff. On its own it never changes a label."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RIGHT = "right", "The label stands"
        WRONG = "wrong", "The label was wrong"

    # By name, not by key: a tool may get a new row while its report waits.
    server = models.CharField(max_length=100)
    tool = models.CharField(max_length=128)
    label = models.CharField(max_length=12, help_text="The class when it was reported.")
    should_be = models.CharField(max_length=12)
    why = models.TextField(max_length=2000, blank=True)
    reported_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=254, blank=True)

    class Meta:
        verbose_name = "report of a wrong label"
        verbose_name_plural = "reports of wrong labels"
        indexes: ClassVar = [models.Index(fields=["state", "reported_at"], name="catalog_report_queue")]

    def __str__(self) -> str:
        return f"{self.server}/{self.tool}"
