"""The order that benchmarks place."""

from datetime import UTC, datetime

from commerce.order import Order


def prepaid_order(number: str) -> Order:
    """A guest's order of two lines with shipping, to be paid by link."""
    return Order.model_validate(
        {
            "store": "de",
            "number": number,
            "placed_at": datetime(2026, 11, 21, 10, tzinfo=UTC),
            "currency": "EUR",
            "total": "121.54 EUR",
            "customer": {"kind": "guest", "email": "kim@example.com", "first_name": "Kim"},
            "billing": {"country": "DE", "city": "Köln"},
            "delivery": {"country": "DE", "city": "Köln"},
            "lines": [
                {
                    "id": "1",
                    "sku": "HF-1001",
                    "name": "Leselampe Aurora",
                    "quantity": "2",
                    "unit_price": "39.50 EUR",
                    "total": "79.00 EUR",
                    "tax": "15.01 EUR",
                    "tax_percent": "19",
                },
                {
                    "id": "2",
                    "sku": "HF-1003",
                    "name": "LED-Leuchtmittel E27, 6er-Pack",
                    "quantity": "1",
                    "unit_price": "17.90 EUR",
                    "total": "17.90 EUR",
                    "tax": "3.40 EUR",
                    "tax_percent": "19",
                },
            ],
            "shipping": {"method": "dhl", "amount": "5.24 EUR", "tax": "0.99 EUR", "tax_percent": "19"},
            "payments": [{"method": "juston", "amount": "121.54 EUR", "state": "due"}],
        }
    )
