"""The sample workflows: the module that ``WFE_WORKFLOWS`` names in the demo."""

from django_wfe.demo.workflows.file_intake import FileIntake
from django_wfe.demo.workflows.flaky_delivery import FlakyDelivery
from django_wfe.demo.workflows.monthly_report import MonthlyReport
from django_wfe.demo.workflows.purchase_approval import PurchaseApproval
from django_wfe.demo.workflows.stock_count import StockCount

__all__ = ["FileIntake", "FlakyDelivery", "MonthlyReport", "PurchaseApproval", "StockCount"]
