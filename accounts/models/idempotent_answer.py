from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.tenancy import OrganizationOwned
from common.ids import new_uuid


class IdempotentAnswer(OrganizationOwned):
    """The answer to a request with an Idempotency-Key, written in the request's transaction.

    Values that are shown once (tokens) are left out of the body: they are not stored anywhere.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    member = models.ForeignKey("accounts.Membership", on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey("accounts.ApiKey", on_delete=models.CASCADE, null=True, related_name="+")
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64, help_text="SHA-256 of method, address and body.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    etag = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "api_key", "key"], name="one_effect_per_key", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["organization", "created_at"], name="answers_by_age")]

    def __str__(self) -> str:
        return self.key
