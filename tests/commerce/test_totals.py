"""An order that adds up is accepted; anything that is off by one minor unit is refused with exactly that difference."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce.money import Money
from commerce.totals import (
    amount_due,
    captured,
    gross_total,
    is_on_account,
    mismatches,
    on_account_total,
    prepaid_elsewhere,
    tax_total,
)
from tests.commerce.sample import amounts_in, changed, full, order, orders_that_add_up, plain

RANDOM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(orders_that_add_up())
@RANDOM
def test_an_order_that_adds_up_is_accepted(data: dict[str, Any]) -> None:
    assert mismatches(order(data)) == []


@given(orders_that_add_up(), st.sampled_from([1, -1]), st.data())
@RANDOM
def test_one_minor_unit_is_never_let_through(data: dict[str, Any], step: int, choice: st.DataObject) -> None:
    path = choice.draw(st.sampled_from(amounts_in(data)))
    at: Any = data
    for part in path.split("."):
        at = at[int(part)] if isinstance(at, list) else at[part]
    wrong = order(changed(data, path, at | {"minor": at["minor"] + step}))
    off = Money(minor=1, currency=data["currency"])
    told = "; ".join(mismatches(wrong))
    assert f"(difference {off})" in told or f"(difference {-off})" in told


def test_every_part_of_an_order_is_counted() -> None:
    made = order(full())
    assert mismatches(made) == []
    assert str(gross_total(made)) == "139.50 EUR"
    assert str(tax_total(made)) == "22.23 EUR"
    assert str(prepaid_elsewhere(made)) == "15.50 EUR"
    assert str(amount_due(made)) == "100.00 EUR"
    assert [payment.transaction_id for payment in captured(made)] == ["T-1"]


TROUBLE: list[tuple[str, dict[str, Any], str]] = [
    (
        "the total",
        changed(full(), "total", "124.01 EUR"),
        "total: the parts add up to 124.00 EUR, but total says 124.01 EUR (difference 0.01 EUR)",
    ),
    (
        "the payments",
        changed(full(), "payments.1.amount", "23.00 EUR"),
        "payments: they sum up to 123.00 EUR, but total says 124.00 EUR (difference -1.00 EUR)",
    ),
    (
        "the taxes",
        changed(full(), "taxes.0.amount", "22.22 EUR"),
        "taxes: they sum up to 22.22 EUR, but lines, shipping and fees carry 22.23 EUR (difference -0.01 EUR)",
    ),
    (
        "a line",
        changed(plain(), "lines.0.unit_price", "49.00 EUR"),
        "lines[0] (LAMP): 2 x 49.00 EUR is 98.00 EUR, but total says 100.00 EUR (difference 2.00 EUR)",
    ),
    (
        "a negative discount",
        changed(full(), "discounts.3.amount", "-0.22 EUR"),
        "discounts[3].amount: -0.22 EUR is negative; money taken off is a discount",
    ),
    (
        "a negative line",
        changed(plain(), "lines.0.total", "-100.00 EUR"),
        "lines[0].total: -100.00 EUR is negative; money taken off is a discount",
    ),
    (
        "negative shipping",
        changed(full(), "shipping.tax", "-0.95 EUR"),
        "shipping.tax: -0.95 EUR is negative; money taken off is a discount",
    ),
    (
        "a negative credit",
        changed(full(), "store_credit", "-5.50 EUR"),
        "store_credit: -5.50 EUR is negative; money taken off is a discount",
    ),
    (
        "link and account together",
        changed(full(), "payments.1", {"method": "po", "amount": "24.00 EUR", "state": "on_account"}),
        "payments: 100.00 EUR is due by link in an order on account; use one or the other",
    ),
    (
        "the base total",
        changed(full(), "base_total", "155.09 USD"),
        "base_total: 124.00 EUR at rate 0.8 is 155.0000, not 155.09 USD",
    ),
    (
        "a base total in the order currency",
        plain() | {"base_total": "118.99 EUR"},
        "base_total: total is 119.00 EUR, but base_total says 118.99 EUR (difference -0.01 EUR)",
    ),
]


@pytest.mark.parametrize(("data", "told"), [case[1:] for case in TROUBLE], ids=[case[0] for case in TROUBLE])
def test_what_does_not_add_up_is_told_in_money(data: dict[str, Any], told: str) -> None:
    assert told in mismatches(order(data))


def test_two_captured_payments_under_one_transaction_id_are_refused() -> None:
    half = {"method": "card", "amount": "59.50 EUR", "state": "captured", "gateway": "adyen", "transaction_id": "T1"}
    found = mismatches(order(plain() | {"payments": [half, half]}))
    assert found == ["payments: transaction id 'T1' is used more than once; every payment has its own"]
    assert mismatches(order(plain() | {"payments": [half, half | {"transaction_id": "T2"}]})) == []


def test_a_base_total_may_be_rounded_row_by_row() -> None:
    assert mismatches(order(changed(full(), "base_total", "155.08 USD"))) == []


@pytest.mark.parametrize(
    ("currency", "price", "quantity", "right", "wrong"),
    [
        ("EUR", "3.33 EUR", "3", ["9.97 EUR", "9.99 EUR", "10.01 EUR"], ["9.96 EUR", "10.02 EUR"]),
        ("JPY", "333 JPY", "2.5", ["832 JPY", "834 JPY"], ["831 JPY", "835 JPY"]),
        ("KWD", "0.333 KWD", "1", ["0.332 KWD", "0.334 KWD"], ["0.331 KWD", "0.335 KWD"]),
    ],
)
def test_a_line_may_differ_by_the_rounding_of_its_unit_price_only(
    currency: str, price: str, quantity: str, right: list[str], wrong: list[str]
) -> None:
    def told(total: str) -> list[str]:
        line = {"id": "1", "sku": "S", "name": "S", "quantity": quantity, "unit_price": price, "total": total}
        data = plain() | {"currency": currency, "total": total, "lines": [line | {"tax": f"0 {currency}"}]}
        data["payments"] = [{"method": "link", "amount": total, "state": "due"}]
        return mismatches(order(data))

    assert [total for total in right if told(total)] == []
    assert [total for total in wrong if not told(total)] == []


def test_an_order_paid_by_card_and_credit_alone_needs_no_money() -> None:
    data = plain() | {"total": "0.00 EUR", "gift_cards": [{"code": "C", "amount": "100.00 EUR"}]}
    data |= {"store_credit": "19.00 EUR", "payments": [{"method": "free", "amount": "0.00 EUR", "state": "captured"}]}
    made = order(data)
    assert mismatches(made) == []
    assert not amount_due(made)


def test_gift_cards_above_the_order_are_refused() -> None:
    data = plain() | {"total": "-1.00 EUR", "gift_cards": [{"code": "C", "amount": "120.00 EUR"}]}
    data["payments"] = [{"method": "free", "amount": "-1.00 EUR", "state": "due"}]
    assert "total: -1.00 EUR is negative; money taken off is a discount" in mismatches(order(data))


def test_what_is_on_account_is_told_from_what_is_paid() -> None:
    data = plain()
    data["payments"] = [
        {"method": "po", "amount": "100.00 EUR", "state": "on_account"},
        {"method": "card", "amount": "19.00 EUR", "state": "captured", "transaction_id": "T"},
    ]
    made = order(data)
    assert is_on_account(made)
    assert on_account_total(made).decimal() == Decimal("100.00")
    assert not amount_due(made)
    assert not is_on_account(order())
