"""The demo's own app, as a project has them."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The shop."""

    name = "django_wfe.demo.shop"
    label = "demo_shop"
    verbose_name = "Shop"
    default_auto_field = "django.db.models.BigAutoField"
