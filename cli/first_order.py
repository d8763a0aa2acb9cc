"""The order that `up` leaves beside its data, so that the first one can be placed with one curl line."""

import json
from datetime import UTC, datetime
from pathlib import Path

FIRST_ORDER = {
    "store": "de",
    "number": "FIRST-1",
    "currency": "EUR",
    "total": "100.24 EUR",
    "customer": {"kind": "guest", "email": "kim@buyer.example", "first_name": "Kim", "last_name": "Øster"},
    "billing": {"street": ["Gastweg 7"], "postcode": "50667", "city": "Köln", "country": "DE"},
    "delivery": {"street": ["Gastweg 7"], "postcode": "50667", "city": "Köln", "country": "DE"},
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
        }
    ],
    "shipping": {"method": "dhl", "amount": "5.24 EUR", "tax": "0.99 EUR", "tax_percent": "19"},
    "payments": [{"method": "juston", "amount": "100.24 EUR", "state": "due"}],
}


def keep_first_order(folder: Path) -> Path:
    """The file with the order. It stays as it is when it is there: the same number is the same order."""
    path = folder / "first-order.json"
    if not path.exists():
        order = {**FIRST_ORDER, "placed_at": datetime.now(UTC).isoformat(timespec="seconds")}
        path.write_text(json.dumps(order, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def curl_line(api: str, portal_token: str, order: Path) -> str:
    """How to place the order by hand."""
    return (
        f"curl -s {api}/v1/checkouts -H 'Authorization: Bearer {portal_token}' "
        f"-H 'Content-Type: application/json' -d @{order}"
    )
