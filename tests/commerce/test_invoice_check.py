"""The billing system's invoice agrees with the order to the minor unit, or the difference is named."""

from typing import Any

import pytest

from commerce.billing import BillingProgress, InvoiceState
from commerce.invoice_check import invoice_problems
from tests.commerce.sample import full, order, plain


def progress(**changes: Any) -> BillingProgress:
    """The invoice as it must be for the full order: 139.50 with 22.23 tax, paid."""
    good = {
        "id": "I1",
        "number": "RE-1",
        "status": "Open",
        "final": True,
        "total": "139.50 EUR",
        "tax": "22.23 EUR",
        "balance": "0.00 EUR",
        "entry_assigned": True,
        "booked": "139.50 EUR",
    }
    return BillingProgress(invoice=InvoiceState.model_validate(good | changes))


WRONG: list[tuple[str, BillingProgress, str, bool]] = [
    ("refused", BillingProgress(build_error="no tax rule"), "the invoice run refused the order: no tax rule", True),
    ("not billed", BillingProgress(), "the invoice run has not billed the order", False),
    ("draft", progress(final=False, status="Draft"), "the invoice is Draft, not final", False),
    (
        "one cent more",
        progress(total="139.51 EUR"),
        "invoice RE-1 says 139.51 EUR, the order 139.50 EUR (difference 0.01 EUR)",
        True,
    ),
    (
        "one cent less tax",
        progress(tax="22.22 EUR"),
        "invoice RE-1 has tax 22.22 EUR, the order 22.23 EUR (difference -0.01 EUR)",
        True,
    ),
    ("no entry", progress(entry_assigned=False), "invoice RE-1 is not assigned to the payment entry", False),
    ("open", progress(balance="139.50 EUR"), "invoice RE-1 has 139.50 EUR open, expected 0.00 EUR", False),
    ("a cent too much", progress(balance="-0.01 EUR"), "invoice RE-1 has -0.01 EUR open, expected 0.00 EUR", False),
    (
        "not booked",
        progress(booked="0.00 EUR"),
        "booking data of invoice RE-1 sums up to 0.00 EUR, expected 139.50 EUR",
        False,
    ),
]


def test_an_invoice_that_agrees_has_no_problems() -> None:
    assert invoice_problems(order(full()), progress(), prepaid=True) == []


@pytest.mark.parametrize(("said", "text", "final"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_disagreement_is_named_and_says_whether_waiting_heals_it(
    said: BillingProgress, text: str, final: bool
) -> None:
    [problem] = invoice_problems(order(full()), said, prepaid=True)
    assert (problem.text, problem.final) == (text, final)


def test_several_disagreements_are_all_told() -> None:
    said = progress(total="100.00 EUR", tax="0.00 EUR", booked="100.00 EUR", balance="1.00 EUR", entry_assigned=False)
    assert len(invoice_problems(order(full()), said, prepaid=True)) == 5


def on_account(**changes: Any) -> tuple[Any, BillingProgress]:
    data = plain()
    data["payments"] = [
        {"method": "po", "amount": "100.00 EUR", "state": "on_account"},
        {"method": "card", "amount": "19.00 EUR", "state": "captured", "transaction_id": "T"},
    ]
    said = {"total": "119.00 EUR", "tax": "19.00 EUR", "booked": "119.00 EUR", "entry_assigned": False}
    return order(data), progress(**(said | changes))


def test_on_account_exactly_the_part_on_account_stays_open() -> None:
    made, said = on_account(balance="100.00 EUR")
    assert invoice_problems(made, said, prepaid=False) == []
    made, said = on_account(balance="119.00 EUR")
    [problem] = invoice_problems(made, said, prepaid=False)
    assert problem.text == "invoice RE-1 has 119.00 EUR open, expected 100.00 EUR"
