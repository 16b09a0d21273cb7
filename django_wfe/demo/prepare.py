"""Bring the demo's database up to date: tables, people, definitions. Run as ``python -m django_wfe.demo.prepare``."""

import django
from django.core.management import call_command


def main() -> None:
    """Do it; running it again changes nothing."""
    django.setup()
    from django_wfe.demo.shop.sample_orders import create_sample_orders
    from django_wfe.demo.users import create_sample_users
    from django_wfe.demo.workflows.earlier import record_definitions

    call_command("migrate", interactive=False)
    create_sample_users()
    create_sample_orders()
    record_definitions()


if __name__ == "__main__":
    main()
