"""Real examples for the OpenAPI document; a test reads every order and adds it up."""

from typing import Any

PREPAID: dict[str, Any] = {
    "store": "de",
    "number": "000000123",
    "placed_at": "2026-11-21T10:15:30Z",
    "currency": "EUR",
    "total": "99.84 EUR",
    "customer": {
        "kind": "consumer",
        "email": "joerg@weiss.example",
        "number": "11",
        "first_name": "Jörg",
        "last_name": "Weiß",
    },
    "billing": {
        "first_name": "Jörg",
        "last_name": "Weiß",
        "street": ["Mönckebergstraße 3"],
        "city": "Hamburg",
        "postcode": "20095",
        "country": "DE",
    },
    "delivery": {
        "first_name": "Jörg",
        "last_name": "Weiß",
        "street": ["Mönckebergstraße 3"],
        "city": "Hamburg",
        "postcode": "20095",
        "country": "DE",
    },
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
    "shipping": {
        "method": "flatrate",
        "title": "Paket",
        "amount": "4.90 EUR",
        "tax": "0.93 EUR",
        "tax_percent": "19",
    },
    "taxes": [{"code": "DE-19", "title": "MwSt. 19 %", "percent": "19", "amount": "15.94 EUR"}],
    "payments": [{"method": "juston", "amount": "99.84 EUR", "state": "due"}],
    "language": "de",
}

COMPANY: dict[str, Any] = {
    "store": "us",
    "number": "B-2026-0457",
    "placed_at": "2026-11-21T15:02:00Z",
    "currency": "USD",
    "total": "1407.97 USD",
    "customer": {
        "kind": "company",
        "email": "ap@blueridge.example",
        "company_number": "503",
        "company_name": "Blue Ridge Outfitters, Inc.",
    },
    "billing": {
        "company": "Blue Ridge Outfitters, Inc.",
        "street": ["12 Haywood St", "Suite 4"],
        "city": "Asheville",
        "region": "NC",
        "postcode": "28801",
        "country": "US",
    },
    "delivery": {
        "company": "Blue Ridge Outfitters, Inc.",
        "street": ["Dock 2, 18 River Road"],
        "city": "Asheville",
        "region": "NC",
        "postcode": "28801",
        "country": "US",
    },
    "lines": [
        {
            "id": "1",
            "sku": "HF-1002",
            "name": "Stehlampe „Nordwind“",
            "quantity": "10",
            "unit_price": "139.32 USD",
            "total": "1393.20 USD",
            "tax": "114.77 USD",
            "tax_percent": "8.875",
        }
    ],
    "discounts": [{"level": "customer", "amount": "100.00 USD", "code": "CONTRACT", "title": "Contract price"}],
    "payments": [
        {"method": "purchaseorder", "amount": "1407.97 USD", "state": "on_account", "purchase_order": "PO-88112"}
    ],
}

ORDER_EXAMPLES = {"A consumer who pays by link": PREPAID, "A company that buys on account": COMPANY}
DECISION_EXAMPLES: dict[str, Any] = {
    "Try again": {"decision": "retry", "reason": "the item was activated in the ERP"},
    "Correct and go on": {
        "decision": "correct",
        "reason": "the SKU was renamed",
        "correction": {"lines": {"0": {"sku": "HF-1002"}}},
    },
    "Give up and undo": {"decision": "give-up", "reason": "the customer does not want it any more"},
}
REASSIGN_EXAMPLES: dict[str, Any] = {
    "To a person": {"to": "anna@shop.example", "reason": "she knows the customer"},
    "To a role": {"to": "accounting", "reason": "the period has to be opened"},
}
RETRY_EXAMPLES: dict[str, Any] = {
    "What would it be?": {"system": "financialforce", "error": "period", "reason": "period opened", "dry_run": True},
    "All of them": {"system": "financialforce", "error": "period", "reason": "the period is open again"},
}
RELEASE_EXAMPLES: dict[str, Any] = {
    "The cause is mended": {"reason": "the store is configured"},
    "Settled by hand": {"reason": "the documents were undone by hand", "drop": True},
}
TRANSFER_EXAMPLES: dict[str, Any] = {
    "From the other warehouse": {
        "source": "Basel",
        "destination": "Hamburg",
        "lines": {"1": "2"},
        "needed_by": "2027-12-01",
        "reason": "sold out in Hamburg",
    }
}
STUCK_EXAMPLES: dict[str, Any] = {
    "Start it again": {"decision": "restart", "reason": "the wrong run was terminated"},
    "Dismiss it": {"decision": "dismiss", "reason": "a trial order, terminated on purpose"},
}
CANCEL_EXAMPLES: dict[str, Any] = {
    "Cancel": {"reason": "ordered by mistake"},
    "Only if no person is needed": {"reason": "the buyer pressed cancel", "unattended": True},
}
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
            "message": "order de:000000123 does not add up: total: the parts add up to 99.84 EUR, but total says "
            "99.83 EUR (difference -0.01 EUR); correct the amounts and send it again",
            "field": "total",
            "details": [
                "total: the parts add up to 99.84 EUR, but total says 99.83 EUR (difference -0.01 EUR)",
                "payments: they sum up to 99.84 EUR, but total says 99.83 EUR (difference 0.01 EUR)",
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
