"""The demo's people: ``admin`` may do everything, ``clerk`` and ``lead`` see Jobs and give them input.

``lead`` is the team lead who approves purchases, and repairs what has failed.
"""

from django.apps import apps
from django.contrib.auth import get_user_model

ADMIN = "admin"
CLERK = "clerk"
LEAD = "lead"

CLERK_PERMISSIONS = (
    "view_workflow",
    "view_definition",
    "view_step",
    "view_job",
    "view_steprun",
    "view_jobevent",
    "view_joblog",
    "view_bulkrun",
    "view_job_data",
    "provide_input_job",
)


SHOP_PERMISSIONS = ("view_order",)
"""What both may besides, in the demo's own app."""

LEAD_PERMISSIONS = (*CLERK_PERMISSIONS, "view_worker", "retry_job", "pause_job")


def create_sample_users() -> None:
    """Make the users where they are missing, each with its name as password, and give them their rights.

    What somebody changed about them since, such as a password, stays.
    """
    users = get_user_model()._default_manager
    if not users.filter(username=ADMIN).exists():
        users.create_superuser(ADMIN, f"{ADMIN}@example.com", ADMIN)
    for name, codenames in ((CLERK, CLERK_PERMISSIONS), (LEAD, LEAD_PERMISSIONS)):
        user = users.filter(username=name).first()
        if user is None:
            user = users.create_user(name, f"{name}@example.com", name, is_staff=True)
        permissions = apps.get_model("auth", "Permission")._default_manager
        for app, names in (("django_wfe", codenames), ("demo_shop", SHOP_PERMISSIONS)):
            user.user_permissions.add(*permissions.filter(content_type__app_label=app, codename__in=names))
