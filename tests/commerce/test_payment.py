"""What each state of a payment entry means for its order: the whole table."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from commerce.money import Money
from commerce.payment import Collected, EntryState, EntryStatus, Payable, as_collected, judge, taken
from tests.commerce.sample import full, order

OPEN, BALANCED, CANCELED = EntryStatus.OPEN, EntryStatus.BALANCED, EntryStatus.CANCELED


def euro(minor: int) -> Money:
    return Money(minor=minor, currency="EUR")


def paid(minor: int, number: int = 1) -> Collected:
    return Collected(id=f"P{number}", amount=euro(minor), transaction_id=f"T{number}")


def entry(status: EntryStatus, *payments: int) -> EntryState:
    collected = tuple(paid(minor, number) for number, minor in enumerate(payments))
    return EntryState(
        entry_id="E1", key="de:1001", status=status, amount=euro(100), assigned=euro(0), collected=collected
    )


@pytest.mark.parametrize(
    ("status", "payments", "was_captured", "meaning"),
    [
        (OPEN, (), False, Payable.WAITING),
        (OPEN, (), True, Payable.REOPENED),
        (OPEN, (40,), False, Payable.PARTLY),
        (OPEN, (40,), True, Payable.REOPENED),
        (OPEN, (100,), False, Payable.PARTLY),  # the entry is the truth: it is not balanced yet
        (OPEN, (100,), True, Payable.REOPENED),
        (OPEN, (101,), False, Payable.OVERPAID),
        (BALANCED, (100,), False, Payable.CAPTURED),
        (BALANCED, (100,), True, Payable.CAPTURED),
        (BALANCED, (60, 40), False, Payable.CAPTURED),
        (BALANCED, (), False, Payable.SETTLED_OTHERWISE),
        (BALANCED, (), True, Payable.SETTLED_OTHERWISE),
        (BALANCED, (99,), False, Payable.SETTLED_OTHERWISE),
        (BALANCED, (100, 100), False, Payable.OVERPAID),
        (BALANCED, (101,), True, Payable.OVERPAID),
        (CANCELED, (), False, Payable.CANCELED),
        (CANCELED, (), True, Payable.CANCELED),
        (CANCELED, (100,), True, Payable.CANCELED),
        (CANCELED, (101,), False, Payable.OVERPAID),
    ],
)
def test_a_state_has_one_meaning(
    status: EntryStatus, payments: tuple[int, ...], was_captured: bool, meaning: Payable
) -> None:
    assert judge(entry(status, *payments), was_captured=was_captured) is meaning
    assert taken(entry(status, *payments)) == euro(sum(payments))


def test_money_in_another_currency_is_never_counted_into_an_entry() -> None:
    yen = Collected(id="P", amount=Money(minor=100, currency="JPY"), transaction_id="T")
    with pytest.raises(ValidationError, match="100 JPY is not in the entry's currency EUR"):
        EntryState(entry_id="E1", key="k", status=OPEN, amount=euro(100), assigned=euro(0), collected=(yen,))


def test_what_the_shops_gateway_took_becomes_one_receipt_each() -> None:
    data = full()
    data["payments"] = [
        {"method": "card", "amount": "24.00 EUR", "state": "captured", "gateway": "pay", "transaction_id": "T-1"},
        {
            "method": "wallet",
            "amount": "100.00 EUR",
            "state": "captured",
            "transaction_id": "T-2",
            "paid_at": "2026-03-01T11:00:00+01:00",
        },
        {"method": "free", "amount": "0.00 EUR", "state": "captured"},
    ]
    first, second = as_collected(order(data))
    assert (first.transaction_id, first.amount, first.provider) == ("T-1", euro(2400), "pay")
    assert (second.transaction_id, second.collected_at) == ("T-2", datetime(2026, 3, 1, 10, tzinfo=UTC))
