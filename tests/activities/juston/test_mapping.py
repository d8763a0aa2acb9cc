"""Entries cross the border exactly: amounts to the minor unit, texts whole or shortened where people read them."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.juston.mapping import (
    ORDER_DATA,
    TITLE,
    EntryRecord,
    Unexpected,
    entry_record,
    link_request,
    money,
    order_data,
    same_record,
)
from activities.salesforce.wire import dumps, loads
from commerce.money import Money
from commerce.payment import EntryStatus
from commerce.text import DoesNotFit, measure
from tests.activities.juston.desk import entry_task, order, settings
from tests.activities.juston.desk import money as minor_units

ENTRY: dict[str, Any] = {
    "Id": "a0J5e0000000001AAA",
    "JPAY1__AssignmentKey__c": "de:1",
    "JPAY1__Status__c": "Open",
    "JPAY1__Amount__c": Decimal("119.0"),
    "JPAY1__AssignedAmount__c": None,
    "CurrencyIsoCode": "EUR",
    "SystemModstamp": "2026-11-21T10:15:30.000+0000",
}


def item(payment: str, status: str, assigned: str | None = None, collected: str | None = None) -> dict[str, Any]:
    return {
        "JPAY1__Payment__c": payment,
        "JPAY1__AssignedAmount__c": Decimal(assigned) if assigned else None,
        "JPAY1__Payment__r": {
            "JPAY1__Status__c": status,
            "JPAY1__CollectedAmount__c": Decimal(collected) if collected else None,
            "JPAY1__TransactionNo__c": f"T-{payment}",
            "SystemModstamp": "2026-11-21T11:00:00.000+0000",
        },
    }


def read(
    entry: dict[str, Any], *items: dict[str, Any], failures: str = "", shared: tuple[str, ...] = ()
) -> EntryRecord:
    return entry_record({**ENTRY, **entry}, items, Counter(failures.split()), shared, settings().fields.cash)


@given(st.sampled_from(["EUR", "JPY", "KWD"]), st.integers(0, 10**12))
def test_an_amount_survives_the_wire_to_the_minor_unit(currency: str, minor: int) -> None:
    there = loads(dumps({"a": Money(minor=minor, currency=currency).decimal()}).encode())
    assert money(there, "a", currency) == Money(minor=minor, currency=currency)


@pytest.mark.parametrize(("amount", "currency"), [("1.005", "EUR"), ("1.5", "JPY"), ("0.0001", "KWD")])
def test_an_amount_finer_than_its_currency_is_never_rounded_into_a_payment(amount: str, currency: str) -> None:
    with pytest.raises(Unexpected, match="decimals"):
        money({"a": Decimal(amount)}, "a", currency)


def test_the_request_carries_what_the_entry_needs() -> None:
    placed = order(number="000000123", language="de_DE")
    body = link_request(
        entry_task(placed, return_url=""),
        settings(
            business_entities={"de": "Nordlicht DE"},
            return_urls={"success": "https://shop.example/{store}/ok?n={number}"},
            payment_methods=["Credit Card"],
        ),
    )
    assert body["amount"] == Decimal("119.00")
    assert body["currency"] == "EUR"
    assert body["assignmentKey"] == "de:000000123"
    assert body["paymentReference"] == "000000123"
    assert body["language"] == "de"
    assert body["businessEntity"] == "Nordlicht DE"
    assert body["redirectUrls"] == {"success": "https://shop.example/de/ok?n=000000123"}
    assert body["paymentMethods"] == ["Credit Card"]
    assert json.loads(body["customFields"]["SalesOrderData__c"])["lines"][0]["name"] == "T-Shirt »Nordlicht« 北極光"


def test_a_name_that_is_set_empty_is_left_out() -> None:
    body = link_request(entry_task(order()), settings(wire={"email": "", "language": ""}, send_order_data=False))
    assert "" not in body
    assert not {"email", "language", "customFields", "businessEntity", "redirectUrls"} & set(body)


@given(st.text(min_size=300, max_size=400, alphabet="e\u0301👩‍👩‍👧日本Яß"))
def test_a_long_title_is_shortened_to_the_field(title: str) -> None:
    body = link_request(entry_task(order()), settings(title=title))
    assert measure(body["title"], TITLE.unit) <= TITLE.size


def test_an_address_that_does_not_fit_is_refused_and_not_cut() -> None:
    placed = order(customer={"kind": "guest", "email": "k" * 80 + "@example.com"})
    with pytest.raises(DoesNotFit):
        link_request(entry_task(placed), settings())


def test_an_order_too_big_for_the_entry_says_that_its_lines_are_left_out() -> None:
    line = order().lines[0]
    big = order(lines=[line.model_copy(update={"id": str(i), "name": "北" * 900}) for i in range(400)])
    text = order_data(big)
    assert measure(text, ORDER_DATA.unit) <= ORDER_DATA.size
    assert json.loads(text)["lines_left_out"] == 400


@pytest.mark.parametrize(
    ("items", "failures", "collected", "pending", "failed"),
    [
        ((), "", 0, 0, 0),
        ((item("p1", "Pending"),), "", 0, 1, 0),
        ((item("p1", "Pending"),), "p1", 0, 0, 1),
        ((item("p1", "Failed"),), "", 0, 0, 1),
        ((item("p1", "Failed"),), "p1", 0, 0, 1),
        ((item("p1", "Collected", "119", "119"),), "", 11900, 0, 0),
        ((item("p1", "Final", "119", "119"),), "", 11900, 0, 0),
        ((item("p1", "Pending"), item("p2", "Collected", "119", "119")), "p1 p1", 11900, 0, 2),
        ((item("p1", "Collected", "119", "150"),), "", 15000, 0, 0),
        ((item("p1", "Refunded", None, "119"),), "", 0, 0, 0),
        ((item("p1", "Charged back", None, "119"),), "", 0, 0, 0),
    ],
)
def test_payments_of_an_entry_are_read_by_what_became_of_them(
    items: tuple[dict[str, Any], ...], failures: str, collected: int, pending: int, failed: int
) -> None:
    state = read({}, *items, failures=failures).state
    assert sum(payment.amount.minor for payment in state.collected) == collected
    assert (state.pending_attempts, state.failed_attempts) == (pending, failed)


def test_a_payment_of_several_entries_counts_with_its_share() -> None:
    state = read({}, item("p1", "Collected", "19", "119"), shared=("p1",)).state
    assert [payment.amount for payment in state.collected] == [minor_units(1900)]


def test_money_paid_back_is_kept_apart() -> None:
    record = read({"JPAY1__Status__c": "Canceled"}, item("p1", "Refunded", None, "119"))
    assert record.state.status is EntryStatus.CANCELED
    assert [payment.amount for payment in record.refunded] == [minor_units(11900)]


def test_only_an_entry_that_nobody_began_to_pay_is_untouched() -> None:
    assert read({}).untouched
    assert not read({}, item("p1", "Failed")).untouched
    assert not read({"JPAY1__Status__c": "Balanced"}).untouched
    assert not read({"JPAY1__AssignedAmount__c": Decimal(1)}).untouched


@pytest.mark.parametrize(
    "change",
    [
        {"JPAY1__Status__c": "Parked"},
        {"JPAY1__Amount__c": None},
        {"CurrencyIsoCode": None},
        {"CurrencyIsoCode": "XXX"},
        {"SystemModstamp": "yesterday"},
    ],
)
def test_an_entry_without_a_known_meaning_is_never_guessed(change: dict[str, Any]) -> None:
    with pytest.raises(Unexpected):
        read(change)


def test_an_unknown_payment_status_is_never_guessed() -> None:
    with pytest.raises(Unexpected, match="Vanished"):
        read({}, item("p1", "Vanished"))


def test_the_digest_changes_with_state_and_not_with_the_order_of_items() -> None:
    one, two = item("p1", "Collected", "50", "50"), item("p2", "Collected", "69", "69")
    assert read({}, one, two).digest == read({}, two, one).digest
    assert read({}, one).digest != read({}, one, two).digest
    assert read({}).digest != read({"JPAY1__Status__c": "Canceled"}).digest
    assert read({}, item("p1", "Pending")).digest != read({}, item("p1", "Pending"), failures="p1").digest


def test_ids_of_both_lengths_name_one_record() -> None:
    assert same_record("a0J5e0000000001", "a0J5e0000000001AAA")
    assert not same_record("a0J5e0000000001", "a0J5e0000000002AAA")
    assert not same_record("", "")


def test_a_grace_shorter_than_the_longest_answer_is_refused() -> None:
    with pytest.raises(ValidationError, match="visible_after_seconds"):
        settings(visible_after_seconds=5, hosted_timeout_seconds=20)
