"""The jobs of a row of your own models, on that row's page in your admin.

.. code-block:: python

    @admin.register(Order)
    class OrderAdmin(admin.ModelAdmin):
        inlines = [JobsInline]
"""

from __future__ import annotations

from django_wfe.admin.attributes.inline import JobsInline

__all__ = ["JobsInline"]
