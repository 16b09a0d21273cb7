"""The shop's tables."""

from typing import ClassVar

from django.db import models


class Order(models.Model):
    """What somebody has ordered."""

    number = models.CharField(max_length=20, unique=True)
    customer = models.CharField(max_length=100)
    weight = models.FloatField(help_text="In kilograms.")

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]

    def __str__(self) -> str:
        return f"{self.number}, {self.customer}"
