"""Real examples for the OpenAPI document; a test reads every order and adds it up."""

from typing import Any

PREPAID: dict[str, Any] = {
    "store": "de",
    "number": "000000123",
    "placed_at": "2026-11-21T10:15:30Z",
    "currency": "EUR",
    "total": "124.83 EUR",
    "customer": {
        "kind": "consumer",
        "email": "jana.petersen@example.org",
        "number": "4711",
        "first_name": "Jana",
        "last_name": "Petersen",
    },
    "billing": {
        "first_name": "Jana",
        "last_name": "Petersen",
        "street": ["Hafenstraße 12"],
        "city": "Kiel",
        "postcode": "24103",
        "country": "DE",
    },
    "delivery": {
        "first_name": "Jana",
        "last_name": "Petersen",
        "street": ["Hafenstraße 12"],
        "city": "Kiel",
        "postcode": "24103",
        "country": "DE",
    },
    "lines": [
        {
            "id": "1",
            "sku": "NL-LAMP-01",
            "name": "Leuchte „Nordlicht“",
            "quantity": "2",
            "unit_price": "50.00 EUR",
            "total": "100.00 EUR",
            "tax": "19.00 EUR",
            "tax_percent": "19",
        }
    ],
    "shipping": {
        "method": "flatrate",
        "title": "Paket",
        "amount": "4.90 EUR",
        "tax": "0.93 EUR",
        "tax_percent": "19",
    },
    "taxes": [{"code": "DE-19", "title": "MwSt. 19 %", "percent": "19", "amount": "19.93 EUR"}],
    "payments": [{"method": "juston", "amount": "124.83 EUR", "state": "due"}],
    "language": "de",
}

COMPANY: dict[str, Any] = {
    "store": "us",
    "number": "B-2026-0457",
    "placed_at": "2026-11-21T15:02:00Z",
    "currency": "USD",
    "total": "2140.00 USD",
    "customer": {
        "kind": "company",
        "email": "purchasing@lakeside-hotels.example",
        "number": "8120",
        "company_number": "17",
        "company_name": "Lakeside Hotels Inc.",
    },
    "billing": {
        "company": "Lakeside Hotels Inc.",
        "street": ["400 Lake Street", "Floor 3"],
        "city": "Chicago",
        "region": "IL",
        "postcode": "60601",
        "country": "US",
    },
    "delivery": {
        "company": "Lakeside Hotels Inc.",
        "street": ["Dock 2, 18 Harbor Road"],
        "city": "Chicago",
        "region": "IL",
        "postcode": "60611",
        "country": "US",
    },
    "lines": [
        {
            "id": "1",
            "sku": "NL-LAMP-01",
            "name": "Lamp Nordlicht",
            "quantity": "40",
            "unit_price": "55.00 USD",
            "total": "2200.00 USD",
            "tax": "140.00 USD",
            "tax_percent": "7",
        }
    ],
    "discounts": [{"level": "customer", "amount": "200.00 USD", "code": "CONTRACT", "title": "Contract price"}],
    "payments": [
        {"method": "purchaseorder", "amount": "2140.00 USD", "state": "on_account", "purchase_order": "PO-88112"}
    ],
}

ORDER_EXAMPLES = {"A consumer who pays by link": PREPAID, "A company that buys on account": COMPANY}
DECISION_EXAMPLES: dict[str, Any] = {
    "Try again": {"decision": "retry", "reason": "the item was activated in the ERP"},
    "Correct and go on": {
        "decision": "correct",
        "reason": "the SKU was renamed",
        "correction": {"lines": {"0": {"sku": "NL-LAMP-02"}}},
    },
    "Give up and undo": {"decision": "give-up", "reason": "the customer does not want it any more"},
}
CANCEL_EXAMPLES: dict[str, Any] = {"Cancel": {"reason": "ordered by mistake"}}
ERROR_EXAMPLES: dict[str, Any] = {
    "409": {
        "error": {
            "code": "different-content",
            "message": "order de:000000123 is known with other content; send it unchanged, or give a new order a "
            "number of its own",
            "field": "number",
            "details": ['lines[0].quantity: known "2", given "3"'],
        }
    },
    "422": {
        "error": {
            "code": "totals",
            "message": "order de:000000123 does not add up: total: the parts add up to 124.83 EUR, but total says "
            "124.82 EUR (difference -0.01 EUR); correct the amounts and send it again",
            "field": "total",
            "details": [
                "total: the parts add up to 124.83 EUR, but total says 124.82 EUR (difference -0.01 EUR)",
                "payments: they sum up to 124.83 EUR, but total says 124.82 EUR (difference 0.01 EUR)",
            ],
        }
    },
    "503": {
        "error": {
            "code": "unavailable",
            "message": "Temporal does not answer (no connection); nothing was accepted, send the same request again",
        }
    },
}
