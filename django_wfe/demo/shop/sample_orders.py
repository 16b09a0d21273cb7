"""The orders of a new demo."""

from django_wfe.demo.shop.models import Order

CUSTOMERS = (
    *("The bakery", "The clinic", "The library", "The bookshop", "The florist", "The school", "The theatre"),
    *("H. Willems", "Kim"),
)
FIRST_NUMBER = 1001


def create_sample_orders() -> None:
    """Make an order for each customer, where it is missing."""
    for number, customer in enumerate(CUSTOMERS, start=FIRST_NUMBER):
        Order.objects.get_or_create(number=str(number), defaults={"customer": customer, "weight": 1.5})
