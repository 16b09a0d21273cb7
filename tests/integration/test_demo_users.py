"""The demo's people have exactly the rights that their parts need."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Permission, User

from django_wfe.demo.users import CLERK_PERMISSIONS, LEAD_PERMISSIONS, create_sample_users

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def get_clerk() -> User:
    return get_user_model().objects.get(username="clerk")


def test_all_sign_in_with_their_names_as_passwords() -> None:
    create_sample_users()
    for name in ("admin", "lead", "clerk"):
        user = authenticate(username=name, password=name)
        assert user is not None
        assert user.is_staff
        assert user.is_superuser == (name == "admin")


def test_clerk_may_look_and_give_input_and_nothing_else() -> None:
    create_sample_users()
    assert get_clerk().get_all_permissions() == {f"django_wfe.{name}" for name in CLERK_PERMISSIONS} | {
        "demo_shop.view_order"
    }
    assert not get_clerk().is_superuser


def test_lead_may_also_repair_and_pause() -> None:
    create_sample_users()
    lead = get_user_model().objects.get(username="lead")
    assert lead.get_all_permissions() == {f"django_wfe.{name}" for name in LEAD_PERMISSIONS} | {"demo_shop.view_order"}
    assert set(LEAD_PERMISSIONS) - set(CLERK_PERMISSIONS) == {"view_worker", "retry_job", "pause_job"}


def test_every_permission_of_clerk_and_lead_exists() -> None:
    existing = Permission.objects.filter(content_type__app_label="django_wfe").values_list("codename", flat=True)
    assert {*CLERK_PERMISSIONS, *LEAD_PERMISSIONS} <= set(existing)


def test_a_second_start_changes_neither_a_password_nor_the_number_of_people() -> None:
    create_sample_users()
    clerk = get_clerk()
    clerk.set_password("better")
    clerk.save()
    create_sample_users()
    assert authenticate(username="clerk", password="better") == clerk
    assert get_user_model().objects.count() == 3
