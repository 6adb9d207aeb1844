"""The order of the index as it is shown, and which rows have each common term; written when it changes.

`order` is a number that was never used before: what a process caches for it stays true for ever.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class CatalogTerm(models.Model):
    """A term that many rows have. Bit n of `rows`, which is compressed, stands for the row at place n."""

    order = models.BigIntegerField()
    kind = models.CharField(max_length=6)
    term = models.CharField(max_length=100)
    rows = models.BinaryField()

    objects: ClassVar[models.Manager[CatalogTerm]] = models.Manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "kind", "term"], name="one_row_of_a_catalog_term"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.term}"


class CatalogOrder(models.Model):
    """A block of places: the keys of its rows, and for each the first server of the same vendor (0: none)."""

    order = models.BigIntegerField()
    kind = models.CharField(max_length=6)
    block = models.PositiveSmallIntegerField()
    keys = models.BinaryField()
    vendors = models.BinaryField()

    objects: ClassVar[models.Manager[CatalogOrder]] = models.Manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "kind", "block"], name="one_catalog_order_of_a_block"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.block}"
