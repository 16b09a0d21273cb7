"""The shop's own admin: an order's page shows the Jobs about the order."""

from django.contrib import admin

from django_wfe.demo.shop.models import Order
from django_wfe.inlines import JobsInline


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Orders, each with its deliveries."""

    list_display = ("number", "customer", "weight")
    search_fields = ("number", "customer")
    inlines = (JobsInline,)
