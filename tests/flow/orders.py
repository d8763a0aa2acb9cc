"""Orders as a portal sends them. Portal orders live in no shop (`shop_id` is empty); shop orders come from the shop."""

import itertools
import os
from typing import Any

from commerce.order import Order

_numbers = itertools.count(1)


def fresh_number() -> str:
    return f"T{os.getpid()}-{next(_numbers)}"


def portal_order(**changes: Any) -> Order:
    """Two reading lamps with shipping, 100.24 EUR, to be paid by link."""
    fields: dict[str, Any] = {
        "store": "de",
        "number": fresh_number(),
        "placed_at": "2026-11-21T10:00:00Z",
        "currency": "EUR",
        "total": "100.24 EUR",
        "customer": {"kind": "guest", "email": "kim@buyer.example", "first_name": "Kim", "last_name": "Łukasz"},
        "billing": {"country": "DE", "city": "Köln", "postcode": "50667", "street": ["Domstraße 1"]},
        "delivery": {"country": "DE", "city": "Köln", "postcode": "50667", "street": ["Domstraße 1"]},
        "lines": [line("1", "HF-1001")],
        "shipping": {"method": "dhl", "amount": "5.24 EUR", "tax": "0.99 EUR", "tax_percent": "19"},
        "payments": [{"method": "juston", "amount": "100.24 EUR", "state": "due"}],
        "language": "de",
    }
    return Order.model_validate({**fields, **changes})


def line(id: str, sku: str, name: str = "Leselampe Aurora") -> dict[str, Any]:
    """Two pieces at 39.50 EUR, 94.01 EUR with tax."""
    return {
        "id": id,
        "sku": sku,
        "name": name,
        "quantity": "2",
        "unit_price": "39.50 EUR",
        "total": "79.00 EUR",
        "tax": "15.01 EUR",
        "tax_percent": "19",
    }


def company(number: str = "501", name: str = "Müller & Söhne GmbH") -> dict[str, Any]:
    return {
        "kind": "company",
        "email": "einkauf@mueller.example",
        "company_number": number,
        "company_name": name,
        "first_name": "Änne",
    }


def on_account(**changes: Any) -> Order:
    payments = [{"method": "purchaseorder", "amount": "100.24 EUR", "state": "on_account", "purchase_order": "PO-77"}]
    return portal_order(**{"customer": company(), "payments": payments, **changes})


def gateway_payments(*amounts: str) -> list[dict[str, Any]]:
    """Payments that the shop's own gateway took; their transaction ids are new."""
    return [
        {
            "method": "stripe",
            "amount": f"{amount} EUR",
            "state": "captured",
            "gateway": "stripe",
            "transaction_id": f"pi_{fresh_number()}",
            "paid_at": "2026-11-21T10:00:05Z",
        }
        for amount in amounts
    ]
