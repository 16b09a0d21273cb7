"""The demo's people: ``admin`` may do everything, ``clerk`` sees Jobs and gives them input."""

from django.apps import apps
from django.contrib.auth import get_user_model

ADMIN = "admin"
CLERK = "clerk"

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


def create_sample_users() -> None:
    """Make the two users where they are missing, each with its name as password, and give ``clerk`` its rights.

    What somebody changed about them since, such as a password, stays.
    """
    users = get_user_model()._default_manager
    if not users.filter(username=ADMIN).exists():
        users.create_superuser(ADMIN, f"{ADMIN}@example.com", ADMIN)
    clerk = users.filter(username=CLERK).first()
    if clerk is None:
        clerk = users.create_user(CLERK, f"{CLERK}@example.com", CLERK, is_staff=True)
    permissions = apps.get_model("auth", "Permission")._default_manager.filter(
        content_type__app_label="django_wfe", codename__in=CLERK_PERMISSIONS
    )
    clerk.user_permissions.add(*permissions)
