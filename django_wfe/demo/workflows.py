"""The sample workflows: the module that ``WFE_WORKFLOWS`` names in the demo."""

from django_wfe.demo.file_intake import FileIntake
from django_wfe.demo.flaky_delivery import FlakyDelivery
from django_wfe.demo.monthly_report import MonthlyReport
from django_wfe.demo.purchase_approval import PurchaseApproval
from django_wfe.demo.stock_count import StockCount

__all__ = ["FileIntake", "FlakyDelivery", "MonthlyReport", "PurchaseApproval", "StockCount"]
