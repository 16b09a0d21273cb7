"""The sample workflows: the module that ``WFE_WORKFLOWS`` names in the demo."""

from django_wfe.demo.file_intake import FileIntake
from django_wfe.demo.flaky_delivery import FlakyDelivery
from django_wfe.demo.purchase_approval import PurchaseApproval

__all__ = ["FileIntake", "FlakyDelivery", "PurchaseApproval"]
