"""A new demo has two definitions of one workflow, so that comparing them can be seen."""

from __future__ import annotations

import pytest
from django.urls import reverse

from django_wfe.demo.workflows.earlier import record_definitions
from django_wfe.demo.workflows.purchase_approval import PurchaseApproval
from django_wfe.discovery import sync_definitions
from django_wfe.models import Definition, Step, Workflow
from django_wfe.workflows import compile_graph
from tests.support.doors.console import read_page, record, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_todays_definition_is_current_and_the_earlier_one_older() -> None:
    record_definitions()
    workflow = Workflow.objects.get()
    _earlier, today = Definition.objects.order_by("pk")
    assert workflow.current_definition == today
    assert workflow.load_error == ""
    assert today.fingerprint == compile_graph(PurchaseApproval).fingerprint


def test_the_console_shows_what_changed() -> None:
    record_definitions()
    address = reverse("admin:django_wfe_workflow_compare", args=[Workflow.objects.get().pk])
    page = read_page(sign_in_superuser().get(address))
    for label in ("Ask director", "Ask the board", "Revise the purchase"):
        assert label in page.text


def test_a_second_start_and_a_demo_from_before_are_left_alone() -> None:
    record(PurchaseApproval)
    record_definitions()
    record_definitions()
    assert Definition.objects.count() == 1


def test_discovery_finds_the_workflow_unchanged_and_the_earlier_step_gone(settings) -> None:
    settings.WFE_WORKFLOWS = "django_wfe.demo.workflows"
    record_definitions()
    before = Workflow.objects.get().current_definition_id
    assert not sync_definitions().errors
    assert Workflow.objects.get(name="PurchaseApproval").current_definition_id == before
    assert Definition.objects.filter(workflow__name="PurchaseApproval").count() == 2
    assert list(Step.objects.filter(deleted=True).values_list("name", flat=True)) == ["AskBoard"]
